import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('measure.mjs', import.meta.url))

/**
 * @typedef {object} Job
 * @property {string} trial
 * @property {string} contender
 * @property {string} path
 * @property {number} threads
 * @property {boolean} [watch] Also measure how late a timer is.
 *
 * @typedef {{ late: number, own: number }} Lateness ms, as watch.mjs says.
 *
 * @typedef {object} Measured
 * @property {number[]} seconds One for each repeat, each over all texts.
 * @property {number[]} latencies ms for each text, where texts go one by one.
 * @property {number} cores Cores it kept busy while it ran: fewer than its threads on a machine it shares.
 * @property {number} loaded Peak of resident memory after loading and warm-up, in bytes.
 * @property {number} peak The same after all repeats.
 * @property {Lateness} [lateIdle]
 * @property {Lateness} [lateLoading]
 * @property {Lateness} [lateRunning]
 * @property {string} facts
 * @property {number[]} tokens Of each text, with instruction or template and end token.
 * @property {Float32Array[] | number[]} answers Vectors, or scores, in the order of the texts.
 */

/**
 * @param {Job} job
 * @param {{ timeout?: number }} [options] ms
 * @returns {Promise<Measured>}
 */
export function inFreshProcess(job, { timeout } = {}) {
  return new Promise((resolve, reject) => {
    // Libraries print to stdout, which is for results only.
    const child = fork(script, [JSON.stringify(job)], {
      serialization: 'advanced',
      stdio: ['ignore', 2, 2, 'ipc'],
      timeout,
      killSignal: 'SIGKILL',
    })
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      reject(new Error(`${job.contender} ended with ${signal ?? `exit code ${code}`}`))
    })
  })
}
