import { readFileSync } from 'node:fs'

const period = 10

/**
 * Keeps a 10 ms timer going, and returns a function that tells of the ticks since it was last called:
 * `late`, by how many ms the worst was late; `own`, the same without the time that this thread was
 * ready to run and no core took it up (Linux only), which another program may be to blame for.
 */
export function watchTimer() {
  let due = performance.now() + period
  let waited = waitedForCore()
  let worst = { late: 0, own: 0 }
  function look() {
    const late = Math.max(0, performance.now() - due)
    const now = waitedForCore()
    const own = Math.max(0, late - (now - waited))
    worst = { late: Math.max(worst.late, late), own: Math.max(worst.own, own) }
    waited = now
  }
  setTimeout(function tick() {
    look()
    due = performance.now() + period
    setTimeout(tick, period).unref()
  }, period).unref()
  return () => {
    look()
    const told = worst
    worst = { late: 0, own: 0 }
    return told
  }
}

function waitedForCore() {
  try {
    const [, nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(
      ' ',
    )
    return Number(nanoseconds) / 1e6
  } catch {
    return 0
  }
}
