// Fine-tuning beside PyTorch: the same LoRA on the same shape with the same batches, step by step in turn.
//
//   python3 -m venv v && v/bin/pip install -r train/requirements.txt
//   node train/compare.mjs --python v/bin/python [--only 0.6b,mini] [--rounds 3] [--threads N] [--json]
//
// A step is a batch of queries, each with an answer and two hard negatives, 128 tokens a text, forwards, backwards and
// through AdamW. `one pack`: all of it in memory at once. `GradCache`: twice as much, in pieces that are computed twice.
// On a machine that others use too, compare with one thread, by seconds of the processor: threads that wait for each other
// lose far more than their share there, PyTorch's most of all.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { circumstances, physicalCores } from '../machine.mjs'
import { modelFor } from '../models.mjs'
import { median } from '../statistics.mjs'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    only: { type: 'string', default: '0.6b,mini' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const threads = Number(values.threads ?? physicalCores())
const rounds = Number(values.rounds)
const length = 128
const textsOfExample = 4

// A turn of the large shape is some seconds on two cores; `pack`: rows that are held at once.
const shapes = {
  '0.6b': { packs: 512, model: () => modelFor('embed', { type: 'Q8_0' }).path },
  mini: { packs: 2_048, model: () => 'mini' },
}
const modes = { 'one pack': 1, GradCache: 2 }
const contenders = ['ours', 'torch float32', 'torch bfloat16']

const results = []
for (const shape of values.only.split(',')) {
  const { packs, model } = shapes[shape]
  for (const [mode, times] of Object.entries(modes)) {
    const batch = (packs * times) / (length * textsOfExample)
    const job = { shape, model: model(), batch, pack: packs, length, threads, rounds }
    results.push(...(await race({ ...job, cached: times > 1 }, mode)))
  }
}
print()

/** Contenders stand by with everything loaded, and take a step each in turn; the first is not counted. */
async function race(job, mode) {
  const runners = []
  try {
    for (const name of contenders) runners.push(await started(name, job))
    for (const { step } of runners) await step()
    for (let round = 0; round < rounds; round++) {
      const turn = round % 2 ? runners.toReversed() : runners
      for (const runner of turn) runner.steps.push(await runner.step())
    }
  } finally {
    for (const { child } of runners) child.kill('SIGKILL')
  }
  const rows = job.batch * textsOfExample * length
  return runners.map(({ name, steps }) => {
    const rates = (of) => steps.map((step) => rows / step[of])
    const times = (of) => median(steps.map((step, i) => step[of] / runners[0].steps[i][of]))
    const [wall, cpu] = [rates('wall'), rates('cpu')]
    const figures = { wall: median(wall), cpu: median(cpu) }
    const ranges = { cpu: [Math.min(...cpu), Math.max(...cpu)] }
    const ratios = { wall: times('wall'), cpu: times('cpu') }
    return { shape: job.shape, mode, rows, name, ...figures, ranges, ratios }
  })
}

async function started(name, job) {
  const isOurs = name === 'ours'
  const script = fileURLToPath(new URL(isOurs ? 'ours.mjs' : 'rival.py', import.meta.url))
  const args = [script, JSON.stringify({ ...job, type: name.split(' ')[1] })]
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), HF_HUB_OFFLINE: '1' }
  const child = spawn(isOurs ? process.execPath : values.python, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env,
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`${name} ended with ${code}`)
  })
  died.catch(() => {})
  const next = async () => (await Promise.race([lines.next(), died])).value
  process.stderr.write(`${job.shape} ${job.cached ? 'GradCache' : 'one pack'}: ${name} loads\n`)
  if ((await next()) !== 'ready') throw new Error(`${name} said something else than ready`)
  const step = async () => {
    child.stdin.write('go\n')
    const [wall, cpu] = (await next()).split(' ').map(Number)
    process.stderr.write(`  ${name}: ${wall.toFixed(2)} s, ${cpu.toFixed(2)} s of the processor\n`)
    return { wall, cpu }
  }
  return { name, child, step, steps: [] }
}

function print() {
  if (values.json) return console.log(JSON.stringify({ ...circumstances(), results }, null, 2))
  console.log(
    '| shape | batch | rows | | rows/s | rows a CPU second | from, to | CPU time, ours = 1 |',
  )
  console.log('| --- | --- | ---: | --- | ---: | ---: | ---: | ---: |')
  for (const { shape, mode, rows, name, wall, cpu, ranges, ratios } of results) {
    const range = ranges.cpu.map((rate) => rate.toFixed(0)).join(', ')
    const cells = [shape, mode, rows, name, wall.toFixed(0), cpu.toFixed(0), range]
    console.log(`| ${cells.join(' | ')} | ${ratios.cpu.toFixed(2)} |`)
  }
}
