#!/usr/bin/env node
// The long fuzzing that no ordinary run has time for. Builds the native tests first.
//   node scripts/fuzz-native.mjs gguf        20 times as many damaged files as --sanitize tries, under its sanitizers
//   node scripts/fuzz-native.mjs tokenizer   a million random texts against llama.cpp; hostile texts of 20 MB
//     --seed=N  --texts=N  --file=PATH.gguf (of another vocabulary than the bundled one)
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '20261126' },
    texts: { type: 'string', default: '1000000' },
    file: { type: 'string' },
  },
})
const fuzzers = {
  gguf: {
    test: 'gguf_fuzz_test',
    folder: 'build/sanitize',
    flags: ['--sanitize'],
    env: { QWEN3_FUZZ: '4000' },
  },
  tokenizer: {
    test: 'tokenizer_test',
    folder: 'build/cmake',
    flags: ['--tests'],
    env: {
      QWEN3_TOKENIZER_SEED: values.seed,
      QWEN3_TOKENIZER_TEXTS: values.texts,
      QWEN3_TOKENIZER_BYTES: String(20 << 20),
      ...(values.file && { QWEN3_TOKENIZER_FILE: values.file }),
    },
  },
}
const fuzzer = fuzzers[positionals[0]]
if (!fuzzer) {
  console.error(`Expected one of ${Object.keys(fuzzers).join(', ')}`)
  process.exit(1)
}
run(process.execPath, ['scripts/build-native.mjs', ...fuzzer.flags, '--only-build'])
run('ctest', ['--test-dir', fuzzer.folder, '-R', `^${fuzzer.test}$`, '-V'], fuzzer.env)

function run(command, args, env = {}) {
  const options = { stdio: 'inherit', cwd: root, env: { ...process.env, ...env } }
  const { status, error } = spawnSync(command, args, options)
  if (error) throw error
  if (status !== 0) process.exit(status ?? 1)
}
