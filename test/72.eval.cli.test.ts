import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'eval-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...args], {
    cwd: folder,
    env: {
      ...process.env,
      QWEN3_EMBED_CACHE: join(folder, 'cache'),
      HF_HUB_CACHE: join(folder, 'hub'),
      HF_HUB_OFFLINE: '1',
    },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (data) => {
    stdout += data
  })
  child.stderr.on('data', (data) => {
    stderr += data
  })
  child.stdin.end()
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

const file = (name: string, content: string) => writeFileSync(join(folder, name), content)

describe('help and misuse', () => {
  it('shows the family and each member', async () => {
    expect((await run('eval', '--help')).stdout).toMatch(
      /eval run[\s\S]*eval compare[\s\S]*eval score[\s\S]*eval plan[\s\S]*eval pull/,
    )
    expect((await run('eval', 'run', '--help')).stdout).toMatch(
      /Usage\n {2}qwen3-embed eval run DATASET/,
    )
    expect((await run('help', 'eval', 'score')).stdout).toContain('--qrels FILE')
    expect((await run('--help')).stdout).toContain('eval')
  })

  it.each([
    [
      ['eval'],
      /Expected what to do: eval run, compare, score, plan, pull\nTry: qwen3-embed eval --help/,
    ],
    [['eval', 'rnu'], /Unknown eval command "rnu"\. Did you mean run\?/],
    [['eval', 'run'], /Expected a data set/],
    [
      ['eval', 'run', 'handbook', '--rerankr', 'x'],
      /Did you mean --reranker\?\nTry: qwen3-embed eval run --help/,
    ],
    [['eval', 'run', 'handbook', '-d', '12x'], /--dimensions takes whole numbers/],
    [
      ['eval', 'run', 'handbook', '-d', '4096'],
      /--dimensions takes an integer from 32 to 256, not 4096/,
    ],
    [['eval', 'run', 'handbook', '--metrics', 'ndgc@10'], /Did you mean ndcg@10/],
    [['eval', 'run', '--suite', 'MTEB'], /There is no suite "MTEB"/],
    [['eval', 'score', '--run', 'x'], /Expected --qrels FILE and --run FILE/],
    [['eval', 'plan', '--table', '9'], /from 2 to 5/],
  ])('%j makes no sense: exit code 2', async (args, message) => {
    const { code, stderr, stdout } = await run(...args)
    expect(stderr).toMatch(message)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  it.each([
    [['eval', 'run', 'nowhere'], /There is no data set nowhere.*\(ERR_DATASET\)/],
    [['eval', 'run', 'cranfield'], /qwen3-embed eval pull cranfield does it once/],
    [['eval', 'compare', 'nothing.json'], /There is no file nothing\.json/],
    [['eval', 'pull', 'cranfield', '--from', '.'], /There is no file .*cran\.all\.1400\.xml/],
  ])('%j fails: exit code 1', async (args, message) => {
    const { code, stderr } = await run(...args)
    expect(stderr).toMatch(message)
    expect(code).toBe(1)
  })
})

describe('eval run and compare', () => {
  it('gives the same bytes twice, a report, a run that eval score agrees with, and pictures', async () => {
    const line = [
      'eval',
      'run',
      'handbook',
      '-d',
      '256',
      '--run-out',
      'run.txt',
      '--svg',
      'pictures',
    ]
    const first = await run(...line, '-o', 'first.json', '--json')
    const second = await run(...line, '-o', 'second.json', '--json')
    expect(first.code).toBe(0)
    expect(second.stdout).toBe(first.stdout)
    const read = (name: string) => readFileSync(join(folder, name), 'utf8')
    expect(read('second.json')).toBe(read('first.json'))
    expect(read('pictures/scores.svg')).toContain('</svg>')
    const report = JSON.parse(read('first.json'))
    const relevant = readFileSync(join(root, 'lib/eval/collections/handbook/queries.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row))
    file(
      'qrels.txt',
      relevant
        .flatMap((row) =>
          Object.entries(row.relevant).map(([id, grade]) => `${row._id} 0 ${id} ${grade}\n`),
        )
        .join(''),
    )
    const scored = JSON.parse(
      (
        await run(
          'eval',
          'score',
          '--qrels',
          'qrels.txt',
          '--run',
          'run.txt',
          '--metrics',
          'ndcg@10,map@100',
          '--json',
        )
      ).stdout,
    )
    expect(scored.metrics['ndcg@10']).toEqual(report.systems[0].metrics['ndcg@10'])
    const compared = await run('eval', 'compare', 'first.json', 'second.json')
    expect(compared.stdout).toContain('no difference at all')
    expect((await run('eval', 'compare', 'first.json', 'second.json', '--json')).stdout).toContain(
      '"verdict": "equal"',
    )
  })

  it('says what was odd, on stdout below the table', async () => {
    file('qrels2.txt', '1 0 a 1\n2 0 b 0\n')
    file('run2.txt', '1 Q0 a 1 0.5 t\n3 Q0 a 1 0.5 t\n')
    const { stdout, code } = await run(
      'eval',
      'score',
      '--qrels',
      'qrels2.txt',
      '--run',
      'run2.txt',
    )
    expect(code).toBe(0)
    expect(stdout).toContain(
      'note: judged queries are not in the run and were counted as 0: 1 (first: 2)',
    )
    expect(stdout).toContain(
      'note: queries of the run have no judgements and were left out: 1 (first: 3)',
    )
  })
})

describe('eval plan and suites', () => {
  it('has a command or a reason for every cell of Tables 2 to 5', async () => {
    for (const [table, cells] of [
      [2, 132],
      [3, 43],
      [4, 42],
      [5, 16],
    ] as const) {
      const found = JSON.parse(
        (await run('eval', 'plan', '--table', `${table}`, '--json')).stdout,
      ).cells
      expect(found.length).toBe(cells)
      for (const cell of found) expect(cell.command ?? cell.note).toBeTruthy()
    }
    const { stdout } = await run('eval', 'plan', '--table', '3')
    expect(stdout).toMatch(
      /Qwen3-Embedding-0\.6B +Eng v2 Mean \(Task\) +70\.70 +qwen3-embed eval run --suite "MTEB\(eng, v2\)" --data/,
    )
    expect(stdout).toMatch(/text-embedding-3-large .* none: an API/)
  })

  it('lists tasks with hours and data, and runs those that are there', async () => {
    const plan = JSON.parse((await run('eval', 'plan', '--type', 'STS', '--json')).stdout)
    expect(plan.map(({ name }: { name: string }) => name)).toContain('STSBenchmark')
    const folderOf = join(folder, 'mteb/STSBenchmark')
    mkdirSync(folderOf, { recursive: true })
    const pairs = [
      ['A dog runs.', 'A dog is running.', 5],
      ['A dog runs.', 'A cat sleeps.', 2],
      ['Rain falls.', 'The court met.', 0],
    ]
    writeFileSync(
      join(folderOf, 'test.jsonl'),
      pairs
        .map(
          ([sentence1, sentence2, score]) => `${JSON.stringify({ sentence1, sentence2, score })}\n`,
        )
        .join(''),
    )
    // Subsets of another task: the mean over both.
    for (const language of ['de', 'en']) {
      mkdirSync(join(folder, 'mteb/STS17/data', language), { recursive: true })
      cpSync(join(folderOf, 'test.jsonl'), join(folder, 'mteb/STS17/data', language, 'test.jsonl'))
    }
    const { stdout, code } = await run('eval', 'run', '--suite', 'MTEB(eng, v2)', '--type', 'STS')
    expect(code).toBe(0)
    expect(stdout).toMatch(/STS17 +STS +\d+\.\d\d/)
    expect(stdout).toMatch(/STSBenchmark +STS +\d+\.\d\d/)
    expect(stdout).toContain('of 2 of 9 tasks only: not the figure of a table')
    expect(stdout).toContain('hf download mteb/sts12-sts')
  })
})
