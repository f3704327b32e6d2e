import { removeModel } from '../index.ts'
import { type Command, remark } from './command.ts'
import { Misuse } from './misuse.ts'
import { bytes } from './numbers.ts'
import { print, printJson } from './print.ts'

export const rm: Command = {
  name: 'rm',
  summary: 'delete models from the cache',
  usage: ['NAME… [OPTIONS]'],
  about: [
    'Names are those of `qwen3-embed list`. The cache is shared with other tools of Hugging Face: what they use of the ' +
      'same model is gone for them too. Prints the paths that were there.',
  ],
  options: { 'cache-dir': { value: 'FOLDER', help: 'the hub cache; default: HF_HUB_CACHE' } },
  examples: [['qwen3-embed rm qwen3-embedding-4b:Q4_K_M', 'one model']],

  async run(args, session) {
    if (args.positionals.length === 0) throw new Misuse('Expected the name of a model to delete')
    const cacheDir = args.text('cache-dir')
    const removed = []
    for (const name of args.positionals) {
      const model = await removeModel(name, { cacheDir })
      remark(session, `${model.name}: ${bytes(model.bytes)} are free`)
      if (!args.has('json')) await print(`${model.paths.join('\n')}\n`)
      removed.push(model)
    }
    if (args.has('json')) await printJson(removed)
    return true
  },
}
