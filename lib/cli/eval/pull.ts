import { collections, pullCollection } from '../../eval/index.ts'
import type { Command } from '../command.ts'
import { remark } from '../command.ts'
import { print, printJson } from '../print.ts'
import { columns } from '../terminal.ts'

export const pullCommand: Command = {
  name: 'eval pull',
  summary: 'fetch a judged collection that may not travel with the package',
  usage: ['[NAME] [OPTIONS]'],
  about: [
    'Without a name it lists what there is. Files come from a fixed commit and are checked by SHA-256; --from names a folder ' +
      'that holds them already.',
  ],
  options: { from: { value: 'FOLDER', help: 'take the files from there, not from the web' } },
  examples: [
    [
      'qwen3-embed eval pull cranfield',
      'then: qwen3-embed eval run cranfield -m mini --max-chars 2500',
    ],
  ],

  async run(args, session) {
    const name = args.single('collection')
    if (name === undefined) {
      if (args.has('json')) await printJson(collections)
      else await print(columns(collections.map((one) => [one.name, one.what, one.licence])))
      return true
    }
    const licence = collections.find((one) => one.name === name)?.licence
    if (licence) remark(session, `licence: ${licence}`)
    const from = args.text('from')
    const folder = await pullCollection(name, {
      signal: session.signal,
      ...(from === undefined ? {} : { from }),
    })
    await (args.has('json') ? printJson({ name, folder }) : print(`${folder}\n`))
    return true
  },
}
