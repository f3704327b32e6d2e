import { agreement } from './agreement.mjs'
import { median, quantile, sum } from './statistics.mjs'

const yardstick = /^node-llama-cpp/

/**
 * Rows of one trial from what its fresh processes measured.
 *
 * @param {import('./trials.mjs').Trial} trial
 * @param {Map<string, import('./fresh-process.mjs').Measured[]>} measured By contender, a round each.
 * @param {Map<string, Error>} failed
 * @param {string} type
 */
export function summarise(trial, measured, failed, type) {
  const peer = fastest([...measured].filter(([contender]) => yardstick.test(contender)))
  const rows = [...measured].map(([contender, rounds]) => {
    const perRound = rounds.map(perProcess)
    const latencies = rounds.flatMap(({ latencies }) => latencies)
    const seconds = median(perRound)
    const tokens = sum(rounds[0].tokens)
    return {
      trial: trial.name,
      contender,
      facts: rounds[0].facts,
      texts: trial.texts.length,
      tokens,
      seconds,
      fastest: Math.min(...perRound),
      slowest: Math.max(...perRound),
      tokensPerSecond: tokens / seconds,
      textsPerSecond: trial.texts.length / seconds,
      cores: median(rounds.map(({ cores }) => cores)),
      peak: median(rounds.map(({ peak }) => peak)),
      ...(trial.oneByOne && { p50: median(latencies), p95: quantile(latencies, 0.95) }),
      ...(peer && { ratio: median(peer.map(perProcess)) / seconds }),
      ...(peer && agreement(rounds[0], peer[0], { task: trial.task, type })),
    }
  })
  const failures = [...failed].map(([contender, error]) => {
    return { trial: trial.name, contender, failed: error.message }
  })
  return [...rows, ...failures]
}

function perProcess({ seconds }) {
  return median(seconds)
}

// Others are compared with the best that node-llama-cpp can do.
function fastest(entries) {
  const timed = entries.map(([, rounds]) => [median(rounds.map(perProcess)), rounds])
  return timed.sort(([a], [b]) => a - b)[0]?.[1]
}
