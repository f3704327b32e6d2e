import { removeIndex } from '../../search/index.ts'
import { type Command, remark } from '../command.ts'
import { Misuse } from '../misuse.ts'
import { print, printJson } from '../print.ts'
import { likelyIndex } from './which.ts'

export const rmCommand: Command = {
  name: 'index rm',
  summary: 'delete an index; the documents stay as they are',
  usage: ['NAME… [OPTIONS]'],
  about: [
    'Names are those of `qwen3-embed index status --all`, or files. Prints what was deleted.',
  ],
  options: {},
  examples: [['qwen3-embed index rm notes', 'the index that was made with --name notes']],

  async run(args, session) {
    if (args.positionals.length === 0) throw new Misuse('Expected the name of an index to delete')
    const removed: string[] = []
    for (const name of args.positionals) {
      const { path } = (await likelyIndex(name))!
      await removeIndex(path)
      remark(session, `${name} is deleted`)
      removed.push(path)
    }
    if (args.has('json')) await printJson(removed)
    else await print(`${removed.join('\n')}\n`)
    return true
  },
}
