import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { basename } from 'node:path'

const require = createRequire(import.meta.url)
const telling = ['avx2', 'avx512f', 'avx_vnni', 'avx512_vnni', 'avx512_bf16', 'amx_int8']

/** Two threads of one core share the units that this work needs, so threads are counted by cores. */
export function physicalCores() {
  const entries = cpuinfo().split('\n\n')
  const cores = entries.map((entry) => entry.match(/^(physical id|core id)\s*: .*/gm)?.join())
  const known = new Set(cores.filter(Boolean)).size
  return Math.min(known || Number.POSITIVE_INFINITY, availableParallelism())
}

/** What a reader needs to judge a figure by, or to get it again. */
export function circumstances() {
  const flags = new Set(/^flags\s*: (.*)/m.exec(cpuinfo())?.[1].split(' '))
  return {
    command: ['node', `bench/${basename(process.argv[1])}`, ...process.argv.slice(2)].join(' '),
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0].model.trim(),
    features: telling.filter((flag) => flags.has(flag)),
    cores: physicalCores(),
    memory: totalmem(),
    load: loadavg()[0],
    versions: {
      node: process.version,
      'qwen3-embed': require('qwen3-embed/package.json').version,
      'node-llama-cpp': require('./package.json').dependencies['node-llama-cpp'],
    },
  }
}

function cpuinfo() {
  return process.platform === 'linux' ? readFileSync('/proc/cpuinfo', 'utf8') : ''
}
