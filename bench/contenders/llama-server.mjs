import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultInstruction } from 'qwen3-embed'

/**
 * llama.cpp's own server on the same file, all texts of a trial in one request. LLAMA_SERVER names the program. As many slots
 * share a batch as fill 512 tokens, its default batch; a text must fit one. Its memory is not this process's.
 *
 * @param {{ trial: import('../trials.mjs').Trial, path: string, threads: number }} job
 */
export async function load({ trial, path, threads }) {
  const { LLAMA_SERVER } = process.env
  if (trial.task === 'rank') throw new Error('only embeds')
  if (!LLAMA_SERVER) throw new Error('needs LLAMA_SERVER')
  const longest = trial.longest + 1
  const slots = Math.max(1, Math.floor(512 / longest))
  const batch = Math.max(512, longest)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const words = ['--embeddings', '--pooling', 'last', '--no-webui', '-m', path, '--port', port]
  const sizes = ['-t', threads, '-np', slots, '-c', slots * longest, '-b', batch, '-ub', batch]
  const server = spawn(LLAMA_SERVER, [...words, ...sizes].map(String), { stdio: 'ignore' })
  process.once('exit', () => server.kill())
  await Promise.race([isReady(url), once(server, 'exit').then(() => Promise.reject(ended()))])

  const prefix = trial.instructed ? `Instruct: ${defaultInstruction}\nQuery:` : ''
  const embed = async (texts) => {
    const { data } = await posted(`${url}/v1/embeddings`, {
      input: texts.map((text) => prefix + text),
    })
    return data.sort((a, b) => a.index - b.index).map((row) => Float32Array.from(row.embedding))
  }
  return {
    facts: `llama-server, ${slots} slots, batches of ${batch}`,
    run: embed,
    answers: (rows) => rows,
    tokens: async (text) => {
      const body = { content: prefix + text, add_special: true }
      return (await posted(`${url}/tokenize`, body)).tokens.length
    },
  }
}

const ended = () => new Error('llama-server ended before it was ready')

async function isReady(url) {
  for (;;) {
    const answer = await fetch(`${url}/health`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(50)
  }
}

async function posted(url, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  return answer.json()
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
