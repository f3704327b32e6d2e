import type { Command } from '../command.ts'
import { build, buildOptions } from './build.ts'
import { doctorCommand } from './doctor.ts'
import { rmCommand } from './rm.ts'
import { statusCommand } from './status.ts'

export const index: Command = {
  name: 'index',
  summary: 'make folders searchable, and keep them so',
  usage: ['FOLDER… [OPTIONS]', '[OPTIONS]', 'status|doctor|rm …'],
  about: [
    'Reads Markdown, text, code, HTML, PDF, Word and other office files, CSV, JSON and mail; offline, with the bundled model or ' +
      'any other. A second run reads only what changed; without a folder it goes through all that the index has. It may be ' +
      'interrupted at any time, and goes on from there.',
    'The index is one file among your data (qwen3-embed index status says where) and can be copied. It never changes your ' +
      'files, and runs nothing that lies in them.',
  ],
  options: buildOptions,
  examples: [
    ['qwen3-embed index ~/notes', 'then: qwen3-embed search "where did I write that"'],
    ['qwen3-embed index . --here --exclude "data/**,*.log"', 'a project, with its index in it'],
    ['qwen3-embed index ~/notes -m qwen3-embedding-0.6b', 'with a better model'],
    ['qwen3-embed index --watch', 'all folders of the index, as they change'],
  ],
  members: [statusCommand, doctorCommand, rmCommand],
  takesWords: true,
  run: build,
}
