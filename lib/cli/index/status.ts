import { findIndexes, Index, type Status } from '../../search/index.ts'
import type { Command } from '../command.ts'
import { bytes, count, counted } from '../numbers.ts'
import { print, printJson } from '../print.ts'
import { columns, plain } from '../terminal.ts'
import { chosenIndex, indexOption } from './which.ts'

const shownUnread = 20

export const statusCommand: Command = {
  name: 'index status',
  summary: 'what is in an index, how far its vectors are, what is not in it and why',
  usage: ['[OPTIONS]'],
  about: ['--all lists the indexes there are; --files lists every file of one.'],
  options: {
    ...indexOption,
    all: { help: 'the indexes there are, and their folders' },
    files: { help: 'every file, with its state' },
  },
  examples: [['qwen3-embed index status', 'of the index of this folder']],

  async run(args) {
    if (args.has('all')) return listed(args.has('json'))
    const { path } = await chosenIndex(args.text('index'))
    const index = await Index.open(path, { readOnly: true })
    try {
      if (args.has('files')) {
        const files = await index.list()
        if (args.has('json')) await printJson(files)
        else
          for (const file of files)
            await print(
              `${file.state.padEnd(7)}  ${plain(file.path)}  ${file.state === 'ok' ? counted(file.passages, 'passage') : ''}${file.why && ` (${plain(file.why)})`}\n`,
            )
        return true
      }
      const status = await index.status()
      if (args.has('json')) await printJson(status)
      else await print(shown(status))
      return true
    } finally {
      await index.close()
    }
  },
}

async function listed(asJson: boolean): Promise<boolean> {
  const found = findIndexes(process.cwd())
  if (asJson) await printJson(found)
  else
    for (const { name, path, roots, problem } of found)
      await print(
        `${name}  ${path}\n${[...roots, ...(problem ? [problem] : [])].map((line) => `    ${plain(line)}\n`).join('')}`,
      )
  return true
}

function shown(status: Status): string {
  const { kinds, roots, spaces, unread, unreadFiles, journal } = status
  const rows = [
    ['index', `${status.path} (${bytes(status.bytes)})`],
    ['holds', `${counted(status.files, 'file')}, ${counted(status.passages, 'passage')}`],
    [
      'kinds',
      Object.entries(kinds)
        .map(([kind, n]) => `${kind} ${count(n)}`)
        .join(', '),
    ],
    ...roots.map(({ path, files, walked }) => [
      'folder',
      `${plain(path) || '(texts that are no files)'}: ${counted(files, 'file')}${path === '' ? '' : `, looked at ${walked === 0 ? 'never' : new Date(walked).toISOString()}`}`,
    ]),
    ...spaces.map(({ model, role, passages, fingerprint, dimensions }) => [
      role === 'main' ? 'model' : role,
      `${model}: ${percent(passages, status.passages)} of the passages, ${dimensions} dimensions, ${fingerprint.slice(0, 12)}`,
    ]),
    ...(status.instruction ? [['instruction', status.instruction]] : []),
    ...(journal === 'wal'
      ? []
      : [['journal', `${journal}: this file system takes no shared memory`]]),
  ]
  const lines = unread
    .slice(0, shownUnread)
    .map(({ path, state, why }) => `  ${state}  ${plain(path)}: ${plain(why)}\n`)
  const more =
    unreadFiles > shownUnread ? `  … and ${count(unreadFiles - shownUnread)} more (--files)\n` : ''
  return `${columns(rows as string[][])}${unreadFiles > 0 ? `not in it: ${counted(unreadFiles, 'file')}\n${lines.join('')}${more}` : ''}`
}

function percent(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.floor((100 * part) / whole)}%`
}
