import { type KnownModel, knownModels, type ListedModel, listModels } from '../index.ts'
import type { Command } from './command.ts'
import { Misuse } from './misuse.ts'
import { bytes } from './numbers.ts'
import { print, printJson } from './print.ts'
import { columns, painter, plain } from './terminal.ts'

export const list: Command = {
  name: 'list',
  summary: 'the models on this machine',
  usage: ['[OPTIONS]'],
  about: [
    'The bundled model and every complete GGUF in the Hugging Face cache, whoever put it there. The first column is ' +
      'what --model takes.',
  ],
  options: {
    all: { short: 'a', help: 'every model with a short name, whether it is here or not' },
    paths: { help: 'where the files are' },
    'cache-dir': { value: 'FOLDER', help: 'the hub cache; default: HF_HUB_CACHE' },
  },
  examples: [
    ['qwen3-embed list', 'what --model finds without a network'],
    ['qwen3-embed list --all', 'what `pull` can fetch by a short name'],
  ],

  async run(args) {
    if (args.positionals.length > 0) throw new Misuse('list takes no arguments')
    const models = await listModels({ cacheDir: args.text('cache-dir') })
    const here = new Set(models.map(({ name }) => name))
    const known = knownModels().map((one) => ({ ...one, cached: isHere(one, here) }))
    if (args.has('json')) await printJson(args.has('all') ? known : models)
    else await print(args.has('all') ? catalogue(known) : cached(models, args.has('paths')))
    return true
  },
}

function isHere({ name, quant, bundled }: KnownModel, here: ReadonlySet<string>): boolean {
  return bundled || here.has(name) || here.has(`${name}:${quant}`)
}

function cached(models: readonly ListedModel[], withPaths: boolean): string {
  const paint = painter(process.stdout)
  const titles = ['NAME', 'SIZE', 'FORMAT', 'FROM', ...(withPaths ? ['PATH'] : [])]
  const rows = models.map(({ name, quant, repo, bytes: size, bundled, paths }) => [
    plain(name),
    bytes(size),
    quant ?? '',
    bundled ? 'bundled demonstration model, not a Qwen model' : (repo ?? 'an address'),
    ...(withPaths ? [plain(paths[0]!)] : []),
  ])
  return columns([titles.map((title) => paint('bold', title)), ...rows], [1])
}

function catalogue(models: readonly (KnownModel & { cached: boolean })[]): string {
  const paint = painter(process.stdout)
  const head = ['NAME', 'KIND', 'SIZE', 'FORMAT', 'LICENCE', 'HERE', 'FROM']
  const rows = models.map((one) => [
    one.name,
    one.kind,
    one.bytes === undefined ? '' : bytes(one.bytes),
    one.quant,
    one.license,
    one.cached ? 'yes' : '',
    one.bundled ? 'bundled demonstration model, not a Qwen model' : (one.repo ?? ''),
  ])
  const more = 'Other quantizations are asked for as NAME:Q4_K_M, where the repository has them.\n'
  return `${columns([head.map((title) => paint('bold', title)), ...rows], [2])}\n${more}`
}
