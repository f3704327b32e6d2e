// Completion scripts for shells, from the same tables as parsing and help.
import type { Command } from './command.ts'
import { sharedOptions } from './help.ts'
import { Misuse } from './misuse.ts'
import { print } from './print.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** `commands` is asked for when it runs: it is one of them itself. */
export function completionFor(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'a script that completes commands, options and models in your shell',
    usage: ['bash|zsh|fish'],
    about: [
      'bash: eval "$(qwen3-embed completion bash)" in ~/.bashrc. zsh: the same with zsh, in ~/.zshrc. fish: qwen3-embed ' +
        'completion fish > ~/.config/fish/completions/qwen3-embed.fish.',
    ],
    options: {},
    examples: [['eval "$(qwen3-embed completion bash)"', 'in this shell, now']],

    async run(args) {
      const shell = shells.find((one) => one === args.single('shell'))
      if (!shell) throw new Misuse(`Expected the name of a shell: ${shells.join(', ')}`)
      await print(shell === 'fish' ? fishScript(commands()) : bashScript(commands(), shell))
      return true
    },
  }
}

const models = ['mini', ...['embedding', 'reranker'].flatMap((kind) => sizes(kind))]

function sizes(kind: string): string[] {
  return ['0.6b', '4b', '8b'].map((size) => `qwen3-${kind}-${size}`)
}

function optionsOf(command: Command) {
  return Object.entries({ ...command.options, ...sharedOptions })
}

/** Words for the value of an option; undefined for files. */
function valuesOf(
  name: string,
  choices: readonly string[] | undefined,
): readonly string[] | undefined {
  return name === 'model' || name === 'reranker' ? models : choices
}

function bashScript(commands: readonly Command[], shell: 'bash' | 'zsh'): string {
  const names = commands.map(({ name }) => name).join(' ')
  const options = commands.map((command) => {
    const words = optionsOf(command).map(([name]) => `--${name}`)
    return `    ${command.name}) words="${words.join(' ')}" ;;\n`
  })
  const values = commands.flatMap((command) =>
    optionsOf(command).flatMap(([name, { value, short, choices }]) => {
      const words = value === undefined ? undefined : valuesOf(name, choices)
      const spelled = short
        ? `${command.name}:--${name}|${command.name}:-${short}`
        : `${command.name}:--${name}`
      return words ? [`    ${spelled}) words="${words.join(' ')}" ;;\n`] : []
    }),
  )
  return [
    shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '',
    '_qwen3_embed() {\n',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
    '  local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}" words=""\n',
    `  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${names} help" -- "$current")); return; fi\n`,
    '  case "$command:$before" in\n',
    ...values,
    '  esac\n',
    '  if [ -z "$words" ]; then case "$current" in -*) case "$command" in\n',
    ...options,
    '  esac ;; esac; fi\n',
    `  if [ "$command" = pull ] || [ "$command" = rm ]; then case "$current" in -*) ;; *) words="${models.join(' ')}" ;; esac; fi\n`,
    `  if [ "$command" = completion ]; then words="${shells.join(' ')}"; fi\n`,
    '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi\n',
    '}\n',
    'complete -o filenames -F _qwen3_embed qwen3-embed\n',
  ].join('')
}

function fishScript(commands: readonly Command[]): string {
  const quote = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`
  const lines = commands.flatMap((command) => {
    const within = `-n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`
    const own = optionsOf(command).map(([name, { short, value, choices, help }]) => {
      const words = value === undefined ? undefined : valuesOf(name, choices)
      const parts = [
        `complete -c qwen3-embed ${within} -l ${name}`,
        ...(short ? [`-s ${short}`] : []),
        ...(value === undefined ? [] : [words ? `-x -a ${quote(words.join(' '))}` : '-r']),
        `-d ${quote(help)}`,
      ]
      return parts.join(' ')
    })
    const first = `complete -c qwen3-embed -n __fish_use_subcommand -f -a ${command.name} -d ${quote(command.summary)}`
    return [first, ...own]
  })
  return `${lines.join('\n')}\n`
}
