import { existsSync } from 'node:fs'
import { Embedder } from '../../index.ts'
import { Index } from '../../search/index.ts'
import type { Command } from '../command.ts'
import { count } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { chosenIndex, indexOption } from './which.ts'

interface Check {
  what: string
  ok: boolean
  /** What to do. */
  remedy?: string
}

export const doctorCommand: Command = {
  name: 'index doctor',
  summary: 'is an index whole, can its model be loaded, are its folders there?',
  usage: ['[OPTIONS]'],
  about: ['Exit code 1 if something is wrong; each finding says what to do.'],
  options: { ...indexOption },
  examples: [['qwen3-embed index doctor', 'of the index of this folder']],

  async run(args) {
    const { path } = await chosenIndex(args.text('index'))
    const checks = await examined(path)
    if (args.has('json')) await printJson(checks)
    else
      for (const { what, ok, remedy } of checks)
        await print(`${ok ? 'ok ' : 'BAD'}  ${what}${remedy ? `. ${remedy}` : ''}\n`)
    return checks.every(({ ok }) => ok)
  },
}

async function examined(path: string): Promise<Check[]> {
  const checks: Check[] = []
  let index: Index
  try {
    index = await Index.open(path, { readOnly: true })
  } catch (error) {
    return [{ what: (error as Error).message, ok: false }]
  }
  try {
    const findings = await index.check()
    const rebuild = 'qwen3-embed index --rebuild makes it anew; or put a backup in its place'
    checks.push(
      ...findings.map((what) => ({ what, ok: false, remedy: rebuild })),
      ...(findings.length === 0 ? [{ what: `${path} is whole`, ok: true }] : []),
    )
    const status = await index.status()
    for (const root of status.roots.filter((one) => one.path !== ''))
      checks.push(
        existsSync(root.path)
          ? { what: `${root.path} is there`, ok: true }
          : {
              what: `${root.path} is not there`,
              ok: false,
              remedy: `Bring it back, or: qwen3-embed index --remove ${root.path}`,
            },
      )
    for (const { model, fingerprint, role, passages } of status.spaces)
      if (role !== 'leaving')
        checks.push(
          await modelCheck(model, fingerprint),
          vectorCheck(model, passages, status.passages),
        )
    checks.push(await wordsCheck(index))
    return checks
  } finally {
    await index.close()
  }
}

async function modelCheck(model: string, fingerprint: string): Promise<Check> {
  try {
    await using embedder = await Embedder.load(model)
    if (embedder.info.fingerprint === fingerprint)
      return { what: `${model} is the model it was made with`, ok: true }
    return {
      what: `${model} is another file than the vectors were made with`,
      ok: false,
      remedy: 'qwen3-embed index makes them anew; until then words and the stand-in answer',
    }
  } catch (error) {
    return { what: `${model} cannot be loaded: ${(error as Error).message}`, ok: false }
  }
}

function vectorCheck(model: string, passages: number, all: number): Check {
  if (passages === all) return { what: `all passages have a vector of ${model}`, ok: true }
  return {
    what: `${count(all - passages)} of ${count(all)} passages have no vector of ${model}`,
    ok: false,
    remedy: 'qwen3-embed index goes on with them',
  }
}

async function wordsCheck(index: Index): Promise<Check> {
  const { hits } = await index.search('the', { alpha: 0, limit: 1 })
  return {
    what: `a search by words answers (${hits.length === 0 ? 'nothing has the word' : 'with a passage'})`,
    ok: true,
  }
}
