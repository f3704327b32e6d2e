// The same texts on the other machine and here.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function compareVectors(key, runner, cases, root) {
  const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-cross-'))
  try {
    const index = join(root, 'dist', 'index.js')
    const script = join(root, 'scripts', 'cross', 'vectors.mjs')
    const told = (name, these, { command, args, env = {}, path = (file) => file }) => {
      const file = join(folder, name)
      const words = [path(script), path(index), path(file), JSON.stringify(these)]
      const { stderr } = spawnSync(command, [...args, ...words], {
        env: { ...process.env, ...env },
        encoding: 'utf8',
        timeout: 900_000,
      })
      if (!existsSync(file)) throw new Error(`${key} gave no vectors:\n${stderr}`)
      const report = JSON.parse(readFileSync(file, 'utf8'))
      if (report.error) throw new Error(`${key}: ${report.error}\n${stderr}`)
      return report
    }
    const only = { ...runner, env: { ...runner.env, PREBUILDS_ONLY: '1' } }
    const there = told('there.json', cases, only)
    // What `auto` is there, and not what it is here: the sets round in ways of their own.
    const same = cases.map((one, i) => ({
      ...one,
      ...(one.kernels && { kernels: one.here ?? there.cases[i].kernels }),
    }))
    const here = told('here.json', same, { command: process.execPath, args: [] })
    console.log(`${key}: run in Node ${there.node} for ${there.platform}-${there.arch}`)
    let isGood = true
    // Of a value: what sums in another order may make.
    for (const [i, { kernels, engine, exact, uses, tolerance = 1e-4 }] of cases.entries()) {
      const most = difference(here.cases[i].vectors, there.cases[i].vectors)
      const isThatSet = uses === undefined || there.cases[i].kernels === uses
      const fits = isThatSet && (exact ? most === 0 : most <= tolerance)
      isGood &&= fits
      const asked = engine ? `engine ${engine}` : `kernels ${kernels}`
      const used = `${there.cases[i].kernels} there, ${here.cases[i].kernels} here`
      const verdict = isThatSet ? (fits ? '' : '  TOO MUCH') : `  NOT ${uses}`
      const found =
        most === 0
          ? 'equal to the bit'
          : `largest difference ${most.toExponential(1)}, 1 - cosine ${angle(here.cases[i].vectors, there.cases[i].vectors).toExponential(1)}`
      console.log(`  ${asked} (${used}): ${found}${verdict}`)
    }
    return isGood
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The least cosine of any text's two vectors, as 1 less it. */
function angle(a, b) {
  const dot = (x, y) => x.reduce((sum, value, d) => sum + value * y[d], 0)
  return Math.max(...a.map((x, i) => 1 - dot(x, b[i]) / Math.sqrt(dot(x, x) * dot(b[i], b[i]))))
}

function difference(a, b) {
  let most = 0
  for (const [i, vector] of a.entries()) {
    if (vector.length !== b[i].length) return Number.POSITIVE_INFINITY
    for (const [d, value] of vector.entries()) most = Math.max(most, Math.abs(value - b[i][d]))
  }
  return Number.isNaN(most) ? Number.POSITIVE_INFINITY : most
}
