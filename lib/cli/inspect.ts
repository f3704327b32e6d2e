import { type FileInfo, inspect as inspectFile } from '../index.ts'
import type { Command } from './command.ts'
import { findModel } from './load.ts'
import { estimateMemory, type MemoryEstimate } from './memory.ts'
import { Misuse } from './misuse.ts'
import { bytes, count, parameters } from './numbers.ts'
import { print, printJson } from './print.ts'
import { columns, painter, plain } from './terminal.ts'

const heads = {
  none: 'none: it embeds',
  cls: 'cls.output.weight: it ranks',
  'yes-no': 'none of its own; can rank by the rows of the tokens yes and no',
} as const

export const inspect: Command = {
  name: 'inspect',
  summary: 'facts of a GGUF, what is wrong with it, memory it needs',
  usage: ['[FILE | NAME] [OPTIONS]'],
  about: [
    'Reads the header only, so a file of any size takes a moment. Findings say what differs from a good file and what ' +
      'this package does about it; with a fatal one it refuses the file (exit code 1).',
    'Memory is an estimate: the file, which is mapped and shared between processes, plus what a pass over a text of ' +
      '--tokens allocates.',
  ],
  options: {
    tokens: {
      value: 'N',
      help: 'memory for a text of that length; default: what it was trained for',
    },
    model: { value: 'NAME', short: 'm', help: 'the same as the argument' },
  },
  examples: [
    ['qwen3-embed inspect Qwen3-Embedding-0.6B-Q8_0.gguf', 'a file'],
    ['qwen3-embed inspect qwen3-embedding-4b:Q4_K_M --tokens 8192 --json', 'a model by name'],
  ],

  async run(args, session) {
    const name = args.single('file') ?? args.text('model')
    if (args.positionals.length > 0 && args.text('model') !== undefined) {
      throw new Misuse('Name the file once: as an argument or with --model')
    }
    const wanted = args.integer('tokens', 1)
    const found = await findModel(name, session)
    const info = await inspectFile(found.paths[0]!)
    const memory = estimateMemory(info, wanted ?? Math.max(info.trainedTokens, 1))
    if (args.has('json')) await printJson({ ...info, bundled: found.bundled, memory })
    else await print(facts(info, memory) + findings(info))
    return info.findings.every(({ fatal }) => !fatal)
  },
}

function facts(info: FileInfo, memory: MemoryEstimate): string {
  const paint = painter(process.stdout)
  const attention = `${info.heads} heads of ${info.headSize}, ${info.kvHeads} for keys and values`
  const rows: [string, string][] = [
    ['file', info.path],
    ['size', `${bytes(info.bytes)} (${count(info.bytes)} bytes)`],
    ['fingerprint', info.fingerprint],
    ['name', info.name || '(none)'],
    ['architecture', info.architecture],
    ['family', info.family || '(not known; queries are embedded as they are)'],
    ['weights', `${parameters(info.parameters)} parameters, mostly ${info.quantization}`],
    ...Object.entries(info.tensorTypes).map(([label, types]): [string, string] => [
      `  ${label}`,
      types.join(', ').toUpperCase(),
    ]),
    [
      'layers',
      `${info.layers} of width ${count(info.width)}, feed-forward ${count(info.feedForward)}`,
    ],
    ['attention', attention],
    ['tokenizer', `${info.tokenizer}, ${count(info.vocabulary)} tokens`],
    ['trained for', `${count(info.trainedTokens)} tokens`],
    ['pooling', info.pooling ?? '(not said)'],
    ['head', heads[info.head]],
    ['templates', `${info.chatTemplates.join(', ') || '(none)'}; prompts are built without them`],
    [
      'memory',
      `${bytes(memory.total)} for ${count(memory.tokens)} tokens: ${bytes(memory.weights)} of weights, ` +
        `${bytes(memory.activations)} of activations`,
    ],
  ]
  return columns(rows.map(([name, value]) => [paint('dim', plain(name)), plain(value)]))
}

function findings({ findings: list }: FileInfo): string {
  const paint = painter(process.stdout)
  if (list.length === 0) return `\n${paint('green', 'Nothing is wrong with it.')}\n`
  return list
    .map(({ fatal, what, remedy }) => {
      const label = fatal ? paint('red', 'fatal') : paint('yellow', 'note')
      return `\n${label}  ${plain(what)}\n       ${plain(remedy)}\n`
    })
    .join('')
}
