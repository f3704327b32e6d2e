// How much of a small change is left after quantising: the table of docs/train.md.
//
//   npm run build && node scripts/run-ts.mjs bench/merge/kept.ts [FILE]
//
// Of a file in floats, by default a tiny one of normal numbers. For each type and size: a random change of rank 8 to every matrix, merged into weights that have that type already, and
// (in brackets) into the same weights in floats.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { merge } from '../../dist/merge/index.js'
import { writeAdapter, writeMerged } from '../../test/fixtures/adapter.ts'
import { GgufReader } from '../../test/fixtures/gguf-reader.ts'
import { fixture } from '../../test/fixtures/models.ts'

const folder = mkdtempSync(join(tmpdir(), 'bench-merge-'))
const at = (name: string) => join(folder, name)
const model = process.argv[2] ?? fixture('embed-wide')
const sizes = [0.05, 0.01, 0.002]
try {
  const floats = at('f32.gguf')
  writeMerged(floats, new GgufReader(model), 'F32')
  console.log(`| | ${sizes.map((size) => `${size * 100}%`).join(' | ')} |`)
  console.log(`| --- | ${sizes.map(() => '---:').join(' | ')} |`)
  for (const to of ['f16', 'bf16', 'q8_0', 'q6_K', 'q5_K', 'q4_K', 'q4_0']) {
    const base = at(`${to}.gguf`)
    await merge({ models: [floats, floats], t: 0, to, output: base, lossy: true })
    const cells: string[] = []
    for (const size of sizes) {
      const adapter = at('change.gguf')
      writeAdapter(adapter, new GgufReader(base), { rank: 8, size })
      const into = async (from: string, type: string) => {
        const output = at('out.gguf')
        const options = { models: [from], adapter, output, to: type, lossy: true }
        return (await merge(options)).meanKept.toFixed(3)
      }
      cells.push(`${await into(base, 'same')} (${await into(floats, to)})`)
    }
    console.log(`| ${to} | ${cells.join(' | ')} |`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
