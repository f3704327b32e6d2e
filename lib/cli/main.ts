#!/usr/bin/env node
import { Qwen3Error } from '../index.ts'
import { nearest } from '../nearest.ts'
import { version } from '../root.ts'
import { Arguments } from './arguments.ts'
import { completionFor } from './completion.ts'
import { bench } from './bench.ts'
import { build } from './build.ts'
import type { Command } from './command.ts'
import { embed } from './embed.ts'
import { evaluation } from './eval/family.ts'
import { index } from './index/family.ts'
import { fleet } from './fleet/family.ts'
import { helpFor, overview, sharedOptions } from './help.ts'
import { inspect } from './inspect.ts'
import { Interrupted, interruptible } from './interrupt.ts'
import { list } from './list.ts'
import { mcp } from './mcp.ts'
import { merge } from './merge.ts'
import { mine } from './mine.ts'
import { Misuse } from './misuse.ts'
import { leaveWithReader, print } from './print.ts'
import { pull } from './pull.ts'
import { inShellWords } from './remedies.ts'
import { rerank } from './rerank.ts'
import { rm } from './rm.ts'
import { plain } from './terminal.ts'
import { search } from './search.ts'
import { serve } from './serve.ts'
import { synth } from './synth.ts'
import { train } from './train.ts'
import { tune } from './tune.ts'
import { verify } from './verify.ts'

const commands: readonly Command[] = [
  search,
  index,
  embed,
  rerank,
  pull,
  list,
  rm,
  inspect,
  verify,
  bench,
  evaluation,
  synth,
  mine,
  train,
  tune,
  merge,
  fleet,
  serve,
  mcp,
  build,
  completionFor(() => commands),
]

leaveWithReader()
const signal = interruptible()
const words = process.argv.slice(2)
try {
  process.exitCode = await run(words)
} catch (error) {
  process.exitCode = report(error)
}

async function run([name, ...rest]: string[]): Promise<number> {
  if (name === undefined) {
    process.stderr.write(overview(commands))
    return 2
  }
  if (name === '--version' || name === '-V') return said(`${version}\n`)
  if (name === '--help' || name === '-h') return said(overview(commands))
  if (name === 'help') return said(rest[0] ? helpFor(find(rest).command) : overview(commands))
  const { command, given } = find([name, ...rest])
  const args = new Arguments(given, { ...command.options, ...sharedOptions })
  if (args.has('version')) return said(`${version}\n`)
  if (args.has('help')) return said(helpFor(command))
  const outcome = await command.run(args, { signal, quiet: args.has('quiet') })
  return typeof outcome === 'number' ? outcome : outcome ? 0 : 1
}

async function said(text: string): Promise<number> {
  await print(text)
  return 0
}

/** The command that the first words name, and the words after them. */
function find(words: readonly string[]): { command: Command; given: readonly string[] } {
  const [name = '', ...rest] = words
  const command = named(name, commands, 'command', (candidate) => candidate.name)
  const [member] = rest
  if (!command.members || member === undefined || member.startsWith('-'))
    return { command, given: rest }
  const last = (candidate: Command) => candidate.name.split(' ').at(-1)!
  if (command.takesWords && !command.members.some((one) => last(one) === member))
    return { command, given: rest }
  return { command: named(member, command.members, `${name} command`, last), given: rest.slice(1) }
}

function named(
  name: string,
  among: readonly Command[],
  what: string,
  nameOf: (candidate: Command) => string,
): Command {
  const command = among.find((candidate) => nameOf(candidate) === name)
  if (command) return command
  const names = among.map(nameOf)
  const meant = nearest(name, names)
  if (name.startsWith('-')) {
    throw new Misuse(`Expected a command first (${names.join(', ')}) but received ${name}`)
  }
  const hint = meant ? `Did you mean ${meant}?` : `There are ${names.join(', ')}.`
  throw new Misuse(`Unknown ${what} ${JSON.stringify(name)}. ${hint}`)
}

function report(error: unknown): number {
  const reason: unknown = signal.aborted ? signal.reason : error
  if (reason instanceof Interrupted) {
    process.stderr.write('qwen3-embed: interrupted\n')
    return reason.exitCode
  }
  const shownCode = error instanceof Qwen3Error ? ` (${error.code})` : ''
  process.stderr.write(`qwen3-embed: ${plain(inShellWords(error, words[0]))}${shownCode}\n`)
  if (process.env.DEBUG) process.stderr.write(`${(error as Error).stack}\n`)
  // The API refuses options that make no sense before any work starts.
  const isMisuse = error instanceof Misuse || (error instanceof Error && 'option' in error)
  if (!isMisuse) return 1
  const known = commands.find(({ name }) => name === words[0])
  const member = known?.members?.find(({ name }) => name === `${words[0]} ${words[1]}`)
  const name = (member ?? known)?.name
  process.stderr.write(`Try: qwen3-embed ${name ? `${name} ` : ''}--help\n`)
  return 2
}
