// A storm of deaths for some minutes, under load: every call settles, right or typed; nothing is left.
//
//   npm run soak:crashes [-- --model FILE] [--seconds N]
import { parseArgs } from 'node:util'
import { setTimeout as wait } from 'node:timers/promises'
import { children, descriptors, openFiles } from '../fixtures/processes.ts'
import { storm } from '../fixtures/storm.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'mini' },
    seconds: { type: 'string', default: '300' },
    every: { type: 'string', default: '3000' },
    restarts: { type: 'string', default: '1000' },
  },
})
const [open, left, rss] = [openFiles(), children(), process.memoryUsage.rss()]
const told = await storm({
  name: values.model,
  seconds: Number(values.seconds),
  everyMs: [50, Number(values.every)],
  maxRestarts: Number(values.restarts),
  starves: process.platform === 'linux',
})
for (let i = 0; i < 50 && descriptors() > open.length; i++) await wait(100)
const after = {
  descriptors: descriptors() - open.length,
  opened: openFiles().filter((one) => !open.includes(one)),
  children: children() - left,
  megabytes: Math.round((process.memoryUsage.rss() - rss) / 2 ** 20),
}
console.log(JSON.stringify({ ...told, after }, null, 2))
if (told.wrong || told.untyped.length || after.children || after.descriptors) process.exitCode = 1
