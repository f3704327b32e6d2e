// qwen3-embed index: folders in, and up to date.
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import {
  Index,
  listFolder,
  removeIndex,
  type Report,
  type Root,
  type Rules,
} from '../../search/index.ts'
import type { Arguments, Options } from '../arguments.ts'
import type { Session } from '../command.ts'
import { findModel, loadOptions, readLoadOptions } from '../load.ts'
import { Misuse } from '../misuse.ts'
import { counted } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { phases } from './phases.ts'
import { targetIndex, listOf } from './which.ts'

export const buildOptions: Options = {
  name: { value: 'NAME', help: 'of the index; default: the one that has the folder, else default' },
  here: { help: 'keep it in the folder itself, as .qwen3-embed.index' },
  ...loadOptions,
  instruction: { value: 'TEXT', help: 'what questions to this index are for, in English' },
  include: { value: 'GLOBS', help: 'only these files: *.md,notes/**' },
  exclude: { value: 'GLOBS', help: 'not these files and folders' },
  hidden: { help: 'files and folders whose names begin with a dot too' },
  'no-ignore': {
    help: 'heed neither .gitignore nor .qwen3ignore, and take node_modules and the like',
  },
  'max-file': { value: 'MB', help: 'largest file that is read; default: 20, of PDF 200' },
  watch: { help: 'stay, and keep it up to date until interrupted' },
  'dry-run': { help: 'say what would be read and what left out, and do nothing' },
  'words-only': { help: 'leave the vectors for later' },
  remove: { help: 'take the folders out of the index' },
  rebuild: { help: 'make it anew, with the folders it has' },
  yes: { help: 'take files out even if more than half of a folder is gone' },
  backup: { value: 'FILE', help: 'copy the index there, of this moment, and do nothing else' },
  export: {
    value: 'FILE',
    help: 'write every passage with its vector as JSON lines, for another engine',
  },
}

export async function build(args: Arguments, session: Session): Promise<boolean> {
  const folders = args.positionals.map((folder) => resolve(folder))
  const rules = rulesOf(args)
  if (args.has('dry-run')) return dryRun(folders, rules, args)
  const path = await targetIndex(args, folders)
  if (args.text('backup') !== undefined || args.text('export') !== undefined)
    return copied(path, args)
  if (folders.length === 0 && !existsSync(path))
    throw new Misuse('Expected a folder to index: there is no index yet')
  const kept = args.has('rebuild') ? await takenApart(path) : []
  const index = await Index.open(path, {
    embedder: await modelOf(path, args, session),
    load: readLoadOptions(args),
  })
  try {
    if (args.has('remove')) return await removed(index, folders, args)
    for (const root of kept) await index.addRoot(root.path, root.rules)
    const known = new Map((await index.roots()).map((root) => [root.path, root]))
    for (const folder of folders)
      if (!known.has(folder) || Object.keys(rules).length > 0) await index.addRoot(folder, rules)
    const instruction = args.text('instruction')
    if (instruction !== undefined) await index.setInstruction(instruction)
    return args.has('watch') ? await watched(index, session) : await updated(index, args, session)
  } finally {
    await index.close()
  }
}

async function updated(index: Index, args: Arguments, session: Session): Promise<boolean> {
  const shown = phases(session)
  try {
    const report = await index.update({
      signal: session.signal,
      onProgress: shown.follow,
      vectors: !args.has('words-only'),
      takeOutMost: args.has('yes'),
    })
    shown.end()
    if (args.has('json')) await printJson({ index: index.path, ...report })
    else await print(`${await summary(index, report)}\n`)
    return report.missing.length === 0
  } finally {
    shown.end()
  }
}

async function watched(index: Index, session: Session): Promise<boolean> {
  const shown = phases(session)
  try {
    for await (const report of index.watch({ signal: session.signal, onProgress: shown.follow })) {
      shown.end()
      await print(`${await summary(index, report)}\n`)
    }
  } finally {
    shown.end()
  }
  session.signal.throwIfAborted()
  return true
}

async function summary(index: Index, report: Report): Promise<string> {
  const { files, passages, unreadFiles } = await index.status()
  const changes = [
    ...(report.read > 0 ? [`${counted(report.read, 'file')} read`] : []),
    ...(report.removed > 0 ? [`${counted(report.removed, 'file')} taken out`] : []),
    ...(report.skipped > 0 ? [`${counted(report.skipped, 'file')} without text skipped`] : []),
    ...(report.failed > 0 ? [`${counted(report.failed, 'file')} failed`] : []),
    ...report.missing.map((folder) => `${folder} is not there`),
  ]
  const lines = [
    `${counted(files, 'file')}, ${counted(passages, 'passage')}: ${changes.length === 0 ? 'nothing changed' : changes.join(', ')} (${report.seconds.toFixed(1)} s)`,
    ...report.remarks,
    ...(unreadFiles > 0
      ? ['qwen3-embed index status says which files are not in it, and why']
      : []),
  ]
  return lines.join('\n')
}

/** By name, so that whoever searches later can load it; a file by its whole path. */
async function modelOf(
  path: string,
  args: Arguments,
  session: Session,
): Promise<string | undefined> {
  const given = args.text('model')
  if (given === undefined && existsSync(path)) return undefined
  const found = await findModel(given, session)
  if (found.bundled) return 'mini'
  const name = given ?? found.name
  return existsSync(name) && !isAbsolute(name) ? resolve(name) : name
}

function rulesOf(args: Arguments): Rules {
  const size = args.number('max-file', 0.001, 1_000_000)
  const include = listOf(args.text('include'))
  const exclude = listOf(args.text('exclude'))
  return {
    ...(include && { include }),
    ...(exclude && { exclude }),
    ...(args.has('hidden') && { hidden: true }),
    ...(args.has('no-ignore') && { ignoreFiles: false }),
    ...(size !== undefined && { maxFile: Math.round(size * 1_000_000) }),
  }
}

async function dryRun(folders: readonly string[], rules: Rules, args: Arguments): Promise<boolean> {
  if (folders.length === 0) throw new Misuse('Expected a folder to look through')
  const all = []
  for (const folder of folders) all.push({ folder, ...(await listFolder(folder, rules)) })
  if (args.has('json')) {
    await printJson(all)
    return true
  }
  for (const { folder, files, left } of all) {
    for (const { path, size } of files) await print(`read     ${folder}/${path} (${size} bytes)\n`)
    for (const { path, why } of left) await print(`leave    ${folder}/${path} (${why})\n`)
    await print(
      `${folder}: ${counted(files.length, 'file')} to read, ${counted(left.length, 'entry', 'entries')} left out\n`,
    )
  }
  return true
}

async function removed(
  index: Index,
  folders: readonly string[],
  args: Arguments,
): Promise<boolean> {
  if (folders.length === 0) throw new Misuse('Expected the folders to take out of the index')
  const results = []
  for (const folder of folders) results.push({ folder, removed: await index.removeRoot(folder) })
  if (args.has('json')) await printJson(results)
  else
    for (const one of results)
      await print(`${one.folder}: ${one.removed ? 'taken out' : 'was not in the index'}\n`)
  return results.every((one) => one.removed)
}

/** Its folders and their rules, before it goes. */
async function takenApart(path: string): Promise<Root[]> {
  if (!existsSync(path)) return []
  let roots: Root[] = []
  try {
    const index = await Index.open(path, { readOnly: true })
    roots = await index.roots().finally(() => index.close())
  } catch (error) {
    throw new Misuse(
      `${(error as Error).message} Its folders cannot be told any more: qwen3-embed index rm, then index them`,
    )
  }
  await removeIndex(path)
  return roots
}

async function copied(path: string, args: Arguments): Promise<boolean> {
  const index = await Index.open(path, { readOnly: true })
  try {
    const backup = args.text('backup')
    if (backup !== undefined) await index.backup(resolve(backup))
    const target = args.text('export')
    if (target !== undefined) await exported(index, resolve(target))
    return true
  } finally {
    await index.close()
  }
}

async function exported(index: Index, path: string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    const { spaces } = await index.status()
    const fingerprint = spaces.find(({ role }) => role === 'main')?.fingerprint ?? ''
    for await (const { vector, ...passage } of index.passages())
      await file.write(
        `${JSON.stringify({ ...passage, fingerprint, vector: vector && [...vector] })}\n`,
      )
  } finally {
    await file.close()
  }
}
