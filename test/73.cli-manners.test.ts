// What a command line gets right without being told: pipes, blank lines, foreign bytes, defaults, completion.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { plain } from '../lib/cli/terminal.ts'
import { fixture } from './fixtures/models.ts'

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = () => mkdtempSync(join(tmpdir(), 'qwen3-embed-manners-'))

function run(
  args: string[],
  options: { input?: string | Buffer; env?: object; shell?: string } = {},
) {
  const env = { ...process.env, XDG_CONFIG_HOME: folder(), NO_COLOR: '1', ...options.env }
  const { status, stdout, stderr } = options.shell
    ? spawnSync('bash', ['-c', options.shell, process.execPath, main], { env, encoding: 'utf8' })
    : spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8', input: options.input })
  return { status, stdout, stderr }
}

describe('search', () => {
  it.each([
    ['a pipe', `printf 'the cat sleeps\\n\\n   \\nprices rise\\n' | "$0" "$1" search pet --json`],
    ['a file', `"$0" "$1" search pet --json < <(printf 'the cat sleeps\\nprices rise\\n')`],
  ])('reads %s', (_, shell) => {
    const { status, stdout } = run([], { shell })
    const { results } = JSON.parse(stdout)
    expect(status).toBe(0)
    expect(results.map((one: { text: string }) => one.text)).toEqual([
      'the cat sleeps',
      'prices rise',
    ])
  })

  it('reads what another program writes', () => {
    const { stdout } = run(['search', 'pet', '--json'], { input: 'the cat sleeps\n' })
    expect(JSON.parse(stdout).results).toHaveLength(1)
  })

  it('looks through its own sentences where nothing is piped', async () => {
    const { stdout } = run([], { shell: `"$0" "$1" search pet --json < /dev/null` })
    expect(JSON.parse(stdout).results).toHaveLength(5)
    // A parent that leaves stdin open and writes nothing does not hold it up.
    const child = spawn(process.execPath, [main, 'search', 'pet', '--json'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let output = ''
    for await (const chunk of child.stdout) output += chunk
    expect(JSON.parse(output).results).toHaveLength(5)
  })

  it('says so where the pipe is empty', () => {
    const { status, stderr } = run([], { shell: `: | "$0" "$1" search pet` })
    expect([status, stderr]).toEqual([2, expect.stringContaining('There are no texts')])
  })
})

describe('input', () => {
  it('has no blank lines in it', () => {
    const { stdout } = run(['embed'], { input: '\none\n  \n\ntwo\n\n' })
    expect(stdout.trim().split('\n')).toHaveLength(2)
  })

  it.each([
    ['binary data', Buffer.from([0x89, 0x50, 0, 1, 2]), 'binary data'],
    ['UTF-16', Buffer.from('\ufeffa text\n', 'utf16le'), 'UTF-16'],
    ['Latin-1', Buffer.from('Gr\xfc\xdfe\n', 'latin1'), 'iconv'],
  ])('that is %s is named', (_, input, said) => {
    const { status, stdout, stderr } = run(['embed', '-'.slice(1) || '--input', '-'], { input })
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toContain(said)
  })

  it('never steers a terminal', () => {
    const evil = '\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b31m \x00bell\x07 \u202eback'
    const steering = /[^\P{Cc}\n\t]|\u202e/u
    expect(plain(evil)).not.toMatch(steering)
    const { stdout } = run(['search', 'red'], { input: `${evil.replaceAll('\x00', '')}\n` })
    expect(stdout).toContain('red')
    expect(stdout).not.toMatch(steering)
  })
})

describe('what is to be written', () => {
  it('is tried before a model is fetched or loaded', () => {
    const output = join(folder(), 'missing', 'x.jsonl')
    const args = ['embed', 'a', '-o', output, '-m', 'qwen3-embedding-0.6b']
    const { status, stderr } = run(args, { env: { HF_HUB_OFFLINE: '1', HF_HOME: folder() } })
    expect([status, stderr]).toEqual([2, expect.stringContaining('There is no folder')])
    expect(stderr).not.toContain('cache')
  })
})

describe('a download', () => {
  it('shows each attempt, and one line for a near miss', () => {
    const env = { HF_ENDPOINT: 'http://127.0.0.1:9', HF_HOME: folder(), HF_HUB_OFFLINE: '' }
    const child = spawnSync(process.execPath, [main, 'pull', 'qwen3-embedding-0.6b'], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
      timeout: 4_000,
    })
    expect(child.stderr).toMatch(/attempt 1 of 6 failed: .*127\.0\.0\.1.*again in \d+\.\d s/)
    const { stderr } = run(['pull', 'qwen3-embeding-0.6b'])
    expect(stderr.split('\n')[0]).toBe(
      'qwen3-embed: "qwen3-embeding-0.6b" is not the name of a model. Did you mean qwen3-embedding-0.6b? (ERR_MODEL_NAME)',
    )
  })
})

describe('the model of every command', () => {
  it('is what the environment says, then the config file', () => {
    const config = folder()
    mkdirSync(join(config, 'qwen3-embed'))
    const file = join(config, 'qwen3-embed', 'config.json')
    writeFileSync(file, JSON.stringify({ model: fixture('embed') }))
    const by = (env: object) => run(['embed', 'a'], { env: { XDG_CONFIG_HOME: config, ...env } })
    expect(by({}).stderr).toContain(`(from ${file})`)
    const said = by({ QWEN3_EMBED_MODEL: fixture('embed-other') })
    expect(said.stderr).toContain('(from QWEN3_EMBED_MODEL)')
    expect(said.stdout).not.toBe(by({}).stdout)
    expect(
      run(['embed', 'a', '-m', 'mini'], { env: { QWEN3_EMBED_MODEL: 'nonsense' } }).status,
    ).toBe(0)
    writeFileSync(file, '{"modell": "x"}')
    expect(by({})).toMatchObject({ status: 2, stderr: expect.stringContaining('"modell"') })
  })

  it('of rerank has a variable of its own', () => {
    const env = { QWEN3_EMBED_RERANKER: fixture('rerank') }
    const { status, stdout } = run(['rerank', '--query', 'q', 'a', 'b'], { env })
    expect([status, stdout.trim().split('\n').length]).toEqual([0, 2])
  })
})

describe('list and rm', () => {
  it('list what can be pulled', () => {
    const { stdout } = run(['list', '--all'])
    expect(stdout).toMatch(/qwen3-embedding-0\.6b +embedding +639 MB +Q8_0 +Apache-2\.0/)
    expect(stdout).toMatch(/qwen3-reranker-4b:Q4_K_M +reranking/)
    const known = JSON.parse(run(['list', '--all', '--json']).stdout)
    expect(known[0]).toMatchObject({ name: 'mini', cached: true, license: 'MIT' })
    expect(run(['list', '--paths']).stdout).toContain('mini-embed-Q8_0.gguf')
  })

  it('delete by the name that is listed', () => {
    const cache = folder()
    const snapshot = join(cache, 'models--a--b-GGUF', 'snapshots', 'c0ffee')
    mkdirSync(snapshot, { recursive: true })
    writeFileSync(join(snapshot, 'x-Q8_0.gguf'), 'GGUF')
    const [, one] = JSON.parse(run(['list', '--json', '--cache-dir', cache]).stdout)
    expect(run(['rm', one.name, '--cache-dir', cache])).toMatchObject({ status: 0 })
    expect(readdirSync(join(cache, 'models--a--b-GGUF', 'snapshots'))).toEqual([])
    expect(run(['rm', one.name, '--cache-dir', cache])).toMatchObject({ status: 1 })
  })
})

describe('completion', () => {
  const complete = (...words: string[]) => {
    const script = `
      eval "$("$0" "$1" completion bash)"
      COMP_WORDS=(${['qwen3-embed', ...words].map((word) => `'${word}'`).join(' ')})
      COMP_CWORD=${words.length}
      _qwen3_embed
      printf '%s\\n' "\${COMPREPLY[@]}"`
    return run([], { shell: script }).stdout.trim().split('\n')
  }

  it('knows commands, options, choices and models', () => {
    expect(complete('se')).toEqual(['search', 'serve'])
    expect(complete('embed', '--dim')).toEqual(['--dimensions'])
    expect(complete('embed', '--pooling', 'm')).toEqual(['mean'])
    expect(complete('embed', '-m', 'qwen3-r')).toContain('qwen3-reranker-0.6b')
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(run(['completion', 'fish']).stdout).toContain("-l pooling -x -a 'last mean cls none'")
    expect(run(['completion', 'tcsh']).status).toBe(2)
  })
})

describe('embed', () => {
  it('is a table where it is watched, and rows where it is not', () => {
    const line = execFileSync(process.execPath, [main, 'embed', 'a', 'b', '--format', 'table'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    expect(line.split('\n')[0]).toMatch(/# +TOKENS +NUMBERS/)
    expect(line.trim().split('\n')[1]).toMatch(/^ +0 +2 +256( +-?\d\.\d{4}){6} …$/)
    // A terminal, as `script` makes one.
    const watched = spawnSync(
      'script',
      ['-qec', `'${process.execPath}' '${main}' embed a`, '/dev/null'],
      {
        encoding: 'utf8',
        input: '',
      },
    )
    expect(watched.stdout).toContain('TOKENS  NUMBERS')
    expect(run(['embed', 'a']).stdout).toMatch(/^\{"index":0/)
  })
})
