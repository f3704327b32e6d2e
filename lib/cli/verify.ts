import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import {
  Embedder,
  inspect,
  type ModelInfo,
  Reranker,
  type ResolvedModel,
  type VerifiedFile,
  verifyFiles,
} from '../index.ts'
import { type Comparison, compare } from '../verify/compare.ts'
import { type Goldens, readGoldens } from '../verify/goldens.ts'
import { publishedFor } from '../verify/published.ts'
import { type Command, remark, type Session } from './command.ts'
import { findModel, load, loadOptions } from './load.ts'
import { Misuse } from './misuse.ts'
import { counted } from './numbers.ts'
import { print, printJson } from './print.ts'
import { Progress } from './progress.ts'
import { columns, oneLine, painter } from './terminal.ts'

export const verify: Command = {
  name: 'verify',
  summary: 'does this machine give the numbers that were published for a model?',
  usage: ['[MODEL] [OPTIONS]'],
  about: [
    "Checks the file's hash where it is known, token ids against Qwen's tokenizer, and cosines, vectors and logits " +
      'against what Qwen and others published, each within a tolerance for the type of the weights. A fine-tuned ' +
      'model has other vectors and fails rightly. Exit code 1 if anything is off.',
    'A goldens file is JSON: {"model": "name", "kind": "embed" or "rerank", "checks": [...]}. Checks are ' +
      '{"check": "tokens", "inputs": [texts or [query, document]], "expected": [ids or counts]}, ' +
      '{"check": "similarity", "queries", "documents", "expected": [[cosines]], "tolerance"}, ' +
      '{"check": "vector", "text", "normalize", "expected": [first values], "tolerance"} and ' +
      '{"check": "logit", "query", "documents", "expected": [logit(yes) - logit(no)], "tolerance"}; each may have an ' +
      '"instruction" and a "source". A tolerance is a number, "order" (the same order is enough), or an object of ' +
      'these by type of weights: {"F32": 0.001, "Q8_0": 0.005, "other": "order"}.',
  ],
  options: {
    goldens: { value: 'FILE', help: 'compare with these instead' },
    ...loadOptions,
  },
  examples: [
    ['qwen3-embed verify', 'the bundled model: is this installation sound?'],
    ['qwen3-embed verify qwen3-embedding-0.6b', 'the real one'],
    ['qwen3-embed verify qwen3-embedding-0.6b --gpu cuda', 'another backend'],
  ],

  async run(args, session) {
    const positional = args.single('model')
    if (positional !== undefined && args.text('model') !== undefined) {
      throw new Misuse('Name the model once: as an argument or with --model')
    }
    const file = args.text('goldens')
    const given = file && readGoldens(await readFile(file, 'utf8'), file)
    const found = await findModel(positional ?? args.text('model'), session)
    const facts = await inspect(found.paths[0]!)
    const goldens = given || publishedFor(facts, found.bundled)
    if (!goldens) {
      throw new Error(
        `Nothing is published for ${found.name} (${facts.architecture}, ${facts.layers} layers of ` +
          `${facts.width}, ${facts.vocabulary} tokens): bring numbers with --goldens FILE`,
      )
    }
    const files = await hashed(found, session)
    const kind = goldens.kind === 'rerank' ? Reranker : Embedder
    const model = await load<Embedder | Reranker>(kind, found, args, session)
    const results = await compare(model, goldens, session.signal).finally(() => model.close())
    const passed =
      results.every((one) => one.passed) && files.every((one) => one.isIntact !== false)
    if (args.has('json')) {
      const { engine, device, kernels, quantization } = model.info
      const who = {
        model: found.name,
        goldens: goldens.model,
        engine,
        device,
        kernels,
        quantization,
      }
      await printJson({ ...who, passed, files, results })
    } else {
      await print(report(goldens, model.info, files, results))
    }
    return passed
  },
}

async function hashed(found: ResolvedModel, session: Session): Promise<VerifiedFile[]> {
  const progress = new Progress('hash', session)
  const files = await verifyFiles(found.paths, {
    signal: session.signal,
    onProgress: progress.follow,
  }).finally(() => progress.end())
  for (const { path, published } of files) {
    if (published) remark(session, `${path} is the published ${published}`)
  }
  return files
}

function report(
  goldens: Goldens,
  { engine, device, kernels, quantization }: ModelInfo,
  files: readonly VerifiedFile[],
  results: readonly Comparison[],
): string {
  const paint = painter(process.stdout)
  const mark = (passed: boolean | undefined) =>
    passed ? paint('green', 'ok') : paint('red', 'OFF')
  const width = Math.max(24, Math.min(60, (process.stdout.columns || 120) - 60))
  const head = ['CHECK', 'ITEM', 'EXPECTED', 'GOT', 'OFF BY', 'ALLOWED', '']
  const rows = [
    head.map((title) => paint('bold', title)),
    ...files
      .filter(({ isIntact }) => isIntact !== undefined)
      .map(({ path, expected, hash, isIntact }) => [
        'hash',
        basename(path),
        expected!.slice(0, 8),
        hash.slice(0, 8),
        '',
        'equal',
        mark(isIntact),
      ]),
    ...results.map(({ check, item, expected, got, difference, allowed, passed }) => [
      check,
      oneLine(item, width),
      expected,
      got,
      difference?.toFixed(4) ?? '',
      `${allowed}`,
      mark(passed),
    ]),
  ]
  const wrong = results.filter((one) => !one.passed).length
  const damaged = files.some((one) => one.isIntact === false)
  const where = `${engine} engine, ${kernels} kernels, ${device}`
  const verdict =
    wrong === 0 && !damaged
      ? `This machine (${where}) reproduces ${goldens.model} in ${quantization}: ${counted(results.length, 'value')}.`
      : `This machine (${where}) does NOT reproduce ${goldens.model} in ${quantization}: ${wrong} of ` +
        `${counted(results.length, 'value')} off${damaged ? ', and the file is damaged' : ''}.`
  return `${columns(rows, [2, 3, 4, 5])}\n${paint(wrong || damaged ? 'red' : 'green', verdict)}\n`
}
