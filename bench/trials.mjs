import { texts } from './texts.mjs'

/**
 * @typedef {object} Trial
 * @property {string} name
 * @property {'embed' | 'rank'} task
 * @property {string[]} texts What is embedded, or ranked for `query`. A text of n words is n tokens.
 * @property {string} [query]
 * @property {boolean} [instructed] Embed as queries, with Qwen's default instruction before each.
 * @property {boolean} [oneByOne] Each text waits for the one before it: a latency, not a throughput.
 * @property {number} longest Tokens that hold any text of the trial with all that belongs to it.
 * @property {number} repeats Times it runs in one process, after the warm-up.
 * @property {boolean} [onDemand] Left out unless asked for by name.
 */

const end = 1
const instruction = 24
const template = 100

/** @type {Trial[]} */
export const trials = [
  {
    name: 'queries',
    task: 'embed',
    texts: texts(64, 12, 1),
    instructed: true,
    longest: instruction + 12 + end,
    repeats: 3,
  },
  {
    name: 'passages',
    task: 'embed',
    texts: texts(64, 128 - end, 2),
    longest: 128,
    repeats: 1,
  },
  {
    name: 'short',
    task: 'embed',
    texts: texts(128, 16 - end, 9),
    longest: 16,
    repeats: 1,
    onDemand: true,
  },
  {
    name: 'documents',
    task: 'embed',
    texts: texts(8, 1024 - end, 3),
    longest: 1024,
    repeats: 1,
  },
  {
    name: 'rerank',
    task: 'rank',
    query: texts(1, 12, 4)[0],
    texts: texts(32, 128, 5),
    longest: template + 12 + 128,
    repeats: 1,
  },
  {
    name: 'rerank-long',
    task: 'rank',
    query: texts(1, 12, 4)[0],
    texts: texts(100, 300, 10),
    longest: template + 12 + 300,
    repeats: 1,
    onDemand: true,
  },
  {
    name: 'latency',
    task: 'embed',
    texts: texts(20, 12 - end, 6),
    oneByOne: true,
    longest: 12,
    repeats: 2,
  },
  {
    name: 'long',
    task: 'embed',
    texts: texts(1, 8192 - end, 7),
    longest: 8192,
    repeats: 1,
  },
  {
    name: 'longest',
    task: 'embed',
    texts: texts(1, 32_768 - end, 8),
    longest: 32_768,
    repeats: 1,
    onDemand: true,
  },
]

/** @param {string} name */
export function trialNamed(name) {
  const trial = trials.find((trial) => trial.name === name)
  if (trial) return trial
  const known = trials.map((trial) => trial.name).join(', ')
  throw new RangeError(`There is no trial ${name}. Known: ${known}.`)
}
