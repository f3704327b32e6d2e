// A project in a folder of its own, with the packages of this one within reach.
import { execFileSync, type ExecFileSyncOptions, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const here = fileURLToPath(new URL('.', import.meta.url))

export class Project {
  readonly folder: string

  constructor(
    files: Record<string, string>,
    { linked = true, folder }: { linked?: boolean; folder?: string } = {},
  ) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'qwen3-embed-consumer-'))
    if (linked && !folder)
      symlinkSync(join(here, 'node_modules'), join(this.folder, 'node_modules'))
    for (const [name, text] of Object.entries(files)) this.write(name, text)
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true })
    writeFileSync(join(this.folder, name), text)
  }

  /** What a command prints; throws with all of it where it fails. */
  run(command: string, args: string[], options: ExecFileSyncOptions = {}): string {
    try {
      return execFileSync(command, args, {
        cwd: this.folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        ...options,
      }) as string
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
    }
  }

  bin(name: string, ...args: string[]): string {
    return this.run(join(here, 'node_modules', '.bin', name), args)
  }

  node(...args: string[]): string {
    return this.run(process.execPath, args)
  }
}

/** Embeds with the bundled model and says so. */
export const use = `
  const embedder = await Embedder.load('mini')
  const [query, [document]] = [await embedder.embedQuery('German capital'), await embedder.embedDocuments(['Berlin'])]
  console.log(similarity(query, document) > 0.2 ? 'ok' : 'wrong vectors')
  await embedder.close()`

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Runs a server until `work` is done with it; it listens on PORT. */
export async function serving<T>(
  folder: string,
  args: string[],
  work: (url: string) => Promise<T>,
): Promise<T> {
  const port = await freePort()
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, PORT: `${port}`, HOSTNAME: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  try {
    for (let i = 0; i < 300; i++) {
      if (child.exitCode !== null) break
      const isUp = await fetch(`http://127.0.0.1:${port}/ai/health`).then(
        ({ status }) => status === 200,
        () => false,
      )
      if (isUp) return await work(`http://127.0.0.1:${port}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    throw new Error(`It never answered: ${output}`)
  } finally {
    child.kill('SIGKILL')
  }
}

/** One request that computes something. */
export async function vectorFrom(url: string): Promise<number[]> {
  const response = await fetch(`${url}/ai/v1/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: 'a text' }),
  })
  const { data } = (await response.json()) as { data: { embedding: number[] }[] }
  return data[0]!.embedding
}
