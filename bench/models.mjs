// Random weights in the exact shape of the 0.6B models: as many bytes and operations as the real ones.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The options that choose the files, as parseArgs takes them. */
export const modelOptions = {
  type: { type: 'string', default: 'Q8_0' },
  model: { type: 'string' },
  reranker: { type: 'string' },
}

/**
 * @param {'embed' | 'rank'} task
 * @param {{ type: string, model?: string, reranker?: string }} options
 * @returns {{ path: string, size: number }} The file given for the task, or one that is made if missing.
 */
export function modelFor(task, { type, model, reranker }) {
  const path = (task === 'rank' ? reranker : model) ?? randomModel(task, type)
  return { path, size: statSync(path).size }
}

/** @param {{ type: string, model?: string, reranker?: string }} options */
export function weightsNamed({ type, model, reranker }) {
  const given = [model, reranker].filter(Boolean).map((path) => basename(path))
  return given.length ? given.join(', ') : `random weights in the shape of the 0.6B model, ${type}`
}

function randomModel(task, type) {
  const rank = task === 'rank' ? ['--rerank'] : []
  const script = ['scripts/run-ts.mjs', 'test/fixtures/shape-0.6b.ts', '--type', type, ...rank]
  const { status, stdout } = spawnSync(process.execPath, script, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`node ${script.join(' ')} failed`)
  return stdout.trim().replace(/ \d+ bytes$/, '')
}
