import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { root } from '../root.ts'
import type { Command } from './command.ts'
import { Misuse } from './misuse.ts'

export const build: Command = {
  name: 'build',
  summary: 'compile the native part here, for a platform that has no package',
  usage: ['[--source]'],
  about: [
    'Into the folder of this package, where it is found before the one that was installed. It needs g++ (or another ' +
      'compiler of C++17), cmake and git, and beside this package: npm install cmake-js node-addon-api node-api-headers.',
    "llama.cpp's libraries are fetched as npm packages, by version and hash; with --source, or where there are none for " +
      'this platform, its sources are, and compiled too.',
  ],
  options: { source: { help: 'compile llama.cpp too' } },
  examples: [['qwen3-embed build', 'on Linux with a glibc older than 2.34, with --source']],

  async run(args, session) {
    if (args.positionals.length > 0) throw new Misuse('build takes no arguments')
    const script = join(root, 'scripts', 'build-native.mjs')
    const flags = args.has('source') ? ['--llama=source'] : []
    const child = spawn(process.execPath, [script, ...flags], {
      stdio: ['ignore', 2, 2],
      signal: session.signal,
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code === 0
  },
}
