// llama.cpp's own server. It is not in any npm package: build the target llama-server from the same
// release, and name the binary in LLAMA_SERVER. This process becomes a keeper of that one.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const [path, threads] = process.argv.slice(2)
const port = await freePort()
// Sixteen texts at once, each as long as any of the load's, in one batch.
const flags = `--embeddings --pooling last -t ${threads} -tb ${threads} -np 16 -c 8192 -b 2048 -ub 2048 --no-webui`
const child = spawn(
  process.env.LLAMA_SERVER ?? 'llama-server',
  ['-m', path, '--host', '127.0.0.1', '--port', `${port}`, ...flags.split(' ')],
  { stdio: 'ignore' },
)
child.once('error', (error) => {
  throw error
})
process.once('SIGTERM', () => {
  child.kill('SIGKILL')
  process.exit()
})
const url = `http://127.0.0.1:${port}`
while (
  !(await fetch(`${url}/health`).then(
    ({ ok }) => ok,
    () => false,
  ))
) {
  if (child.exitCode !== null) throw new Error(`llama-server ended with ${child.exitCode}`)
  await sleep(100)
}
console.log(url)

function freePort() {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}
