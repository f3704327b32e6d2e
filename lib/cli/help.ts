import type { Options } from './arguments.ts'
import type { Command } from './command.ts'
import { columns, painter, wrap } from './terminal.ts'

const lineWidth = 96

export const sharedOptions: Options = {
  json: { help: 'print the result as JSON' },
  quiet: {
    short: 'q',
    help: 'no progress and no remarks on stderr, but which model was taken where none was named',
  },
  version: { short: 'V', help: 'show the version' },
  help: { short: 'h', help: 'show this' },
}

export function overview(commands: readonly Command[]): string {
  const paint = painter(process.stdout)
  return [
    'qwen3-embed: Qwen3 embedding and reranking models on this machine, without Python\n\n',
    `${paint('bold', 'Usage')}\n  qwen3-embed COMMAND [OPTIONS]\n\n`,
    `${paint('bold', 'Commands')}\n`,
    columns(commands.map(({ name, summary }) => ['', paint('cyan', name), summary])),
    `\n${paint('bold', 'First steps')}\n`,
    columns([
      ['', 'qwen3-embed search "how do I get my money back"', 'offline, with the bundled model'],
      ['', 'qwen3-embed pull qwen3-embedding-0.6b', 'fetch the real one (639 MB)'],
      ['', 'qwen3-embed embed "some text" -m qwen3-embedding-0.6b', 'a vector'],
    ]),
    `\n${paint('bold', 'Everywhere')}\n`,
    optionLines(sharedOptions),
    '\nqwen3-embed COMMAND --help shows the options and examples of a command.\n',
    'QWEN3_EMBED_MODEL, or {"model": …} in ~/.config/qwen3-embed/config.json, is the model of every command.\n',
    'Results go to stdout, everything else to stderr; NO_COLOR=1 turns colours off, DEBUG=1 shows\n',
    'where an error comes from. Exit codes: 0 done, 1 the work failed, 2 the command line makes no\n',
    'sense, 130 interrupted.\n',
  ].join('')
}

export function helpFor(command: Command): string {
  const paint = painter(process.stdout)
  const usage = command.usage.map((line) => `  qwen3-embed ${`${command.name} ${line}`.trim()}\n`)
  const about = command.about.map((paragraph) => `${wrap(paragraph, lineWidth).join('\n')}\n`)
  const examples = command.examples.map(
    ([line, what]) => `  ${paint('dim', `# ${what}`)}\n  ${line}\n`,
  )
  return [
    `qwen3-embed ${command.name}: ${command.summary}\n\n`,
    `${paint('bold', 'Usage')}\n${usage.join('')}\n`,
    ...(command.members
      ? [
          `${paint('bold', 'Commands')}\n`,
          columns(command.members.map(({ name, summary }) => ['', paint('cyan', name), summary])),
          '\n',
        ]
      : []),
    ...(about.length > 0 ? [`${about.join('\n')}\n`] : []),
    `${paint('bold', 'Options')}\n${optionLines({ ...command.options, ...sharedOptions })}`,
    ...(examples.length > 0 ? [`\n${paint('bold', 'Examples')}\n${examples.join('\n')}`] : []),
  ].join('')
}

function optionLines(options: Options): string {
  const heads = Object.entries(options).map(([name, { short, value }]) =>
    `${short ? `-${short}, ` : '    '}--${name} ${value ?? ''}`.trimEnd(),
  )
  const left = Math.max(...heads.map((head) => head.length)) + 4
  return Object.values(options)
    .map(({ help }, i) => {
      const [first, ...rest] = wrap(help, lineWidth - left)
      const indented = rest.map((line) => `${' '.repeat(left)}${line}\n`)
      return `${`  ${heads[i]!}`.padEnd(left)}${first}\n${indented.join('')}`
    })
    .join('')
}
