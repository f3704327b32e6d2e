import { listModels } from '../index.ts'
import type { Command } from './command.ts'
import { Misuse } from './misuse.ts'
import { bytes } from './numbers.ts'
import { print, printJson } from './print.ts'
import { columns, painter } from './terminal.ts'

export const list: Command = {
  name: 'list',
  summary: 'the models on this machine',
  usage: ['[OPTIONS]'],
  about: [
    'The bundled model and every complete GGUF in the Hugging Face cache, whoever put it there. The first column is ' +
      'what --model takes.',
  ],
  options: { 'cache-dir': { value: 'FOLDER', help: 'the hub cache; default: HF_HUB_CACHE' } },
  examples: [['qwen3-embed list', 'what --model finds without a network']],

  async run(args) {
    if (args.positionals.length > 0) throw new Misuse('list takes no arguments')
    const models = await listModels({ cacheDir: args.text('cache-dir') })
    if (args.has('json')) {
      await printJson(models)
      return true
    }
    const paint = painter(process.stdout)
    const head = ['NAME', 'SIZE', 'FORMAT', 'FROM'].map((title) => paint('bold', title))
    const rows = models.map(({ name, quant, repo, bytes: size, bundled }) => [
      name,
      bytes(size),
      quant ?? '',
      bundled ? 'bundled demonstration model, not a Qwen model' : (repo ?? 'an address'),
    ])
    await print(columns([head, ...rows], [1]))
    return true
  },
}
