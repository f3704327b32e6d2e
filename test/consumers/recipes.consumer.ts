// The recipes of docs/server.md, run: the handler inside the frameworks that people have.
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { here, Project, serving, vectorFrom } from './project.ts'

const docs = readFileSync(join(here, '..', '..', 'docs', 'server.md'), 'utf8')
const head = `
import { Embedder } from 'qwen3-embed'
import { createHandler } from 'qwen3-embed/server'
const models = { mini: await Embedder.load('mini') }
const port = Number(process.env.PORT)
`
/** A block of the docs, by something that is in it. */
function block(mark: string): string {
  const found = [...docs.matchAll(/```js\n([\s\S]*?)```/g)].find(([, code]) => code!.includes(mark))
  expect(found, `a block with ${mark}`).toBeDefined()
  return found![1]!
}

describe('the handler in', () => {
  it.each([
    ['node:http', `${block('createServer(handler.node)').replace('8080', 'process.env.PORT')}`],
    [
      'Express',
      `${head}
       import express from 'express'
       const handler = createHandler({ models })
       ${block('express()').replace(/^import.*\n/gm, '')}
       app.listen(port, '127.0.0.1')`,
    ],
    [
      'Hono',
      `${head}
       import { serve } from '@hono/node-server'
       import { Hono } from 'hono'
       const handler = createHandler({ models })
       ${block('new Hono()').replace(/^import.*\n/gm, '')}
       serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })`,
    ],
    [
      'Fastify',
      `${head}
       import Fastify from 'fastify'
       const handler = createHandler({ models, basePath: '/ai' })
       const app = Fastify()
       ${block('addContentTypeParser')}
       await app.listen({ port, host: '127.0.0.1' })`,
    ],
  ])('%s', async (_, code) => {
    const project = new Project({ 'main.mjs': code })
    expect(await serving(project.folder, ['main.mjs'], vectorFrom)).toHaveLength(256)
  })
})

it('Next, with output: standalone, moved elsewhere', async () => {
  // Within this folder: Next traces what lies below its root, which it knows by the lock file.
  const folder = join(here, '.next-app')
  rmSync(folder, { recursive: true, force: true })
  const project = new Project(
    {
      'package.json': '{ "name": "app", "private": true }',
      // Its packages are one folder up, and so is what may be traced.
      'next.config.mjs': block('serverExternalPackages').replace(
        './node_modules',
        '../node_modules',
      ),
      'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>',
      'app/page.js': 'export default () => <p>hello</p>',
      'app/ai/[[...path]]/route.js': block('export const GET = handler.fetch'),
    },
    { folder },
  )
  project.run(
    process.execPath,
    [join(here, 'node_modules', 'next', 'dist', 'bin', 'next'), 'build'],
    {
      env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
    },
  )
  const moved = new Project({}, { linked: false })
  cpSync(join(folder, '.next', 'standalone'), moved.folder, { recursive: true })
  rmSync(folder, { recursive: true })
  // Below the root that Next found, which is the outermost lock file's.
  const found = readdirSync(moved.folder, { recursive: true, encoding: 'utf8' })
  const server = found.find((name) => name.endsWith('.next-app/server.js'))!
  expect(await serving(moved.folder, [server], vectorFrom)).toHaveLength(256)
}, 900_000)
