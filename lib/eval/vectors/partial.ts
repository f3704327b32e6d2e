// A file of rows that is being written: how many count, and who writes.
import { randomUUID } from 'node:crypto'
import { type FileHandle, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises'

export interface Progress {
  rows: number
  cutTexts: number
}

/** Rows first, then how many of them count. */
export async function save(file: FileHandle, partial: string, state: Progress): Promise<void> {
  await file.sync()
  await writeFile(`${partial}.progress.new`, JSON.stringify(state))
  await rename(`${partial}.progress.new`, `${partial}.progress`)
}

export async function begun(partial: string, width: number): Promise<Progress> {
  const state = await readJson(`${partial}.progress`)
  const size = (await stat(partial).catch(() => undefined))?.size ?? 0
  return state && size >= 4 * state.rows * width ? state : { rows: 0, cutTexts: 0 }
}

export async function finished(
  path: string,
  rows: number,
  width: number,
): Promise<Progress | undefined> {
  const state = await readJson(`${path}.json`)
  const size = (await stat(path).catch(() => undefined))?.size
  return state && size === 4 * rows * width ? state : undefined
}

/** The file to go on with, unless a live process does: then one of our own. */
export async function ownPartial(path: string): Promise<string> {
  const shared = `${path}.partial`
  for (let tries = 0; tries < 2; tries++) {
    try {
      await writeFile(`${shared}.lock`, `${process.pid}`, { flag: 'wx' })
      return shared
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = Number(await readFile(`${shared}.lock`, 'utf8').catch(() => ''))
    if (isAlive(owner)) break
    await unlink(`${shared}.lock`).catch(() => {})
  }
  return `${path}.${process.pid}.${randomUUID().slice(0, 8)}.partial`
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function readJson(path: string): Promise<Progress | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Progress
  } catch {
    return undefined
  }
}
