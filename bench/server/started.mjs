import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own: its address, and how to end it. */
export async function started(name, path, threads) {
  const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [script, path, `${threads}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
  return { url, pid: child.pid, end: () => child.kill() }
}

/** Words that are mostly a token each; no two texts are equal or begin alike. */
export function text(index, words) {
  const picked = Array.from(
    { length: words },
    (_, i) => list[(index * 31 + i * 17 + i * i) % list.length],
  )
  return `${index} ${picked.join(' ')}`
}

const list =
  'time year people way day man thing woman life child world school state family student group country problem hand part place case week company system program question work government number night point home water room mother area money story fact month lot right study book eye job word business issue side kind head house service friend father power hour game line end member law car city'.split(
    ' ',
  )

export function post(url, body, signal) {
  return fetch(`${url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'model', encoding_format: 'float', ...body }),
    signal,
  })
}

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}
