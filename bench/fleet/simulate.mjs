// A job of 500 million documents on 1,000 machines that are taken away: no embedding, but recorded shard times, what
// queue.mjs measured of a real Redis, and the rules of leases. Says how long, what is wasted, and what is the bottleneck.
//
//   node bench/fleet/simulate.mjs [--documents 500e6 --workers 1000 --seed 1]
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '500e6' },
    workers: { type: 'string', default: '1000' },
    tokens: { type: 'string', default: '128' },
    /** Tokens a second of one worker: README's figure for two cores. */
    rate: { type: 'string', default: '652' },
    seed: { type: 'string', default: '1' },
  },
})
const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
const queue = read('queue.json')
/** Of real shards, each over their mean. */
const { relative } = read('shard-times.json')
const [documents, workers, tokens, rate] = [
  values.documents,
  values.workers,
  values.tokens,
  values.rate,
].map(Number)
const leaseSeconds = 60
const renewSeconds = leaseSeconds / 4
const replaceSeconds = 180

/** Park and Miller's: the same run each time. */
function randomOf(seed) {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Events by time: a binary heap. */
class Heap {
  #all = []
  push(event) {
    const all = this.#all
    all.push(event)
    for (let i = all.length - 1; i > 0; ) {
      const up = (i - 1) >> 1
      if (all[up].at <= all[i].at) break
      ;[all[up], all[i]] = [all[i], all[up]]
      i = up
    }
  }
  pop() {
    const all = this.#all
    const first = all[0]
    const last = all.pop()
    if (all.length > 0) {
      all[0] = last
      for (let i = 0; ; ) {
        let next = i
        for (const child of [2 * i + 1, 2 * i + 2])
          if (child < all.length && all[child].at < all[next].at) next = child
        if (next === i) break
        ;[all[next], all[i]] = [all[i], all[next]]
        i = next
      }
    }
    return first
  }
  get size() {
    return this.#all.length
  }
}

/** `lifeHours`: the mean life of a machine before it is taken away without a word. */
function simulate(shardMinutes, lifeHours) {
  const random = randomOf(Number(values.seed))
  const mean = shardMinutes * 60
  const perShard = Math.round((mean * rate) / tokens)
  const shards = Math.ceil(documents / perShard)
  const life = () => -Math.log(1 - random()) * lifeHours * 3600
  const time = () => relative[Math.floor(random() * relative.length)] * mean
  const events = new Heap()
  let waiting = shards
  let done = 0
  let busy = 0
  let wasted = 0
  let taken = 0
  let now = 0
  let lastAt = 0
  const idle = []
  const claim = (worker) => {
    if (waiting === 0) {
      idle.push(worker)
      return
    }
    waiting--
    const needs = time()
    // Whether it lives so long is known only afterwards.
    if (now + needs <= worker.until) events.push({ at: now + needs, kind: 'done', worker, needs })
    else events.push({ at: worker.until, kind: 'taken', worker, lost: worker.until - now })
  }
  const arrive = () => {
    const worker = { from: now, until: now + life() }
    claim(worker)
  }
  for (let i = 0; i < workers; i++) events.push({ at: random() * replaceSeconds, kind: 'arrive' })
  while (done < shards) {
    const event = events.pop()
    now = event.at
    if (event.kind === 'arrive') arrive()
    else if (event.kind === 'done') {
      done++
      busy += event.needs
      lastAt = now
      if (done < shards) claim(event.worker)
    } else if (event.kind === 'taken') {
      taken++
      wasted += event.lost
      // Its shard comes back when its lease is over, at the next look for stalled ones.
      events.push({ at: now + leaseSeconds + (random() * leaseSeconds) / 2, kind: 'back' })
      events.push({ at: now + replaceSeconds * (0.5 + random()), kind: 'arrive' })
    } else {
      waiting++
      const worker = idle.pop()
      if (worker) claim({ ...worker, until: Math.max(worker.until, now + life()) })
    }
  }
  const ideal = (shards * mean) / workers
  const claims = (done + taken) / now
  const commands =
    claims * queue.commandsPerShard + (workers / renewSeconds) * queue.commandsPerRenewal
  return {
    'shard min': shardMinutes,
    'life h': lifeHours,
    shards,
    days: Number((lastAt / 86_400).toFixed(2)),
    'over ideal %': Number(((lastAt / ideal - 1) * 100).toFixed(2)),
    'wasted %': Number(((wasted / (busy + wasted)) * 100).toFixed(2)),
    taken,
    'redis MB': Math.round((shards * queue.bytesDone) / 2 ** 20),
    'commands/s': Math.round(commands),
    'puts/s': Number(((3 * done) / now).toFixed(1)),
    'MB/s written': Number(((documents * 4_096) / now / 2 ** 20).toFixed(0)),
  }
}

const rows = []
for (const shardMinutes of [2, 10, 30])
  for (const life of [1, 4, 24]) rows.push(simulate(shardMinutes, life))
console.table(rows)
const hours = (documents * tokens) / rate / 3600
console.log(
  `work: ${Math.round(hours).toLocaleString('en')} hours of a worker of two cores at ${rate} tokens/s`,
)
const capacity = Math.round(1000 / queue.claimAndCompleteMs)
console.log(
  `queue: one client claims and completes ${capacity} shards a second; the fleet needs ${(workers / 600).toFixed(1)} (shards of 10 minutes)`,
)
