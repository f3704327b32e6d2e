// Bundlers and file tracers: the result works, or says what to do.
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { nodeFileTrace } from '@vercel/nft'
import { describe, expect, it } from 'vitest'
import { here, Project, use } from './project.ts'

const entry = `import { Embedder, similarity } from 'qwen3-embed'\n${use}`
const lazyEntry = `import { Embedder, similarity } from 'qwen3-embed'\nvoid (async () => {${use}\n})()`

describe('Node itself', () => {
  it.each([
    ['import', 'main.mjs', entry],
    [
      'require',
      'main.cjs',
      `const { Embedder, similarity } = require('qwen3-embed');(async () => {${use}})()`,
    ],
    [
      'both at once, one class of errors',
      'both.mjs',
      `import { createRequire } from 'node:module'
       import { Qwen3Error } from 'qwen3-embed'
       const required = createRequire(import.meta.url)('qwen3-embed')
       console.log(required.Qwen3Error === Qwen3Error ? 'ok' : 'two copies')`,
    ],
    [
      'require of a sub-path',
      'server.cjs',
      `const { createHandler } = require('qwen3-embed/server'); console.log(typeof createHandler === 'function' ? 'ok' : 'no')`,
    ],
  ])('%s', (_, name, text) => {
    const project = new Project({ [name]: text })
    expect(project.node(name).trim()).toBe('ok')
  })
})

describe('esbuild', () => {
  const bundle = (project: Project, ...args: string[]) =>
    project.bin(
      'esbuild',
      'main.mjs',
      '--bundle',
      '--platform=node',
      '--outfile=out/bundle.mjs',
      '--format=esm',
      '--log-level=error',
      ...args,
    )

  it('with the package left out', () => {
    const project = new Project({ 'main.mjs': entry })
    bundle(project, '--external:qwen3-embed')
    expect(project.node('out/bundle.mjs').trim()).toBe('ok')
  })

  it('with the package in the bundle, where it is installed too', () => {
    const project = new Project({ 'main.mjs': lazyEntry })
    bundle(project)
    expect(project.node('out/bundle.mjs').trim()).toBe('ok')
    project.bin(
      'esbuild',
      'main.mjs',
      '--bundle',
      '--platform=node',
      '--outfile=out/bundle.cjs',
      '--log-level=silent',
    )
    expect(project.node('out/bundle.cjs').trim()).toBe('ok')
  })

  it('says what to do where it is not', () => {
    const project = new Project({ 'main.mjs': lazyEntry })
    bundle(project)
    const alone = new Project({}, { linked: false })
    cpSync(join(project.folder, 'out', 'bundle.mjs'), join(alone.folder, 'bundle.mjs'))
    expect(() => alone.node('bundle.mjs')).toThrow(
      /ERR_NO_BINDING[\s\S]*bundled|bundled[\s\S]*--external:qwen3-embed/,
    )
  })
})

it('webpack, with the package as an external', () => {
  const project = new Project({
    'main.mjs': entry,
    'webpack.config.mjs': `export default {
      mode: 'production', target: 'node20', entry: './main.mjs',
      experiments: { outputModule: true }, output: { path: process.cwd() + '/out', filename: 'bundle.mjs', module: true },
      externals: { 'qwen3-embed': 'module qwen3-embed' } }`,
  })
  project.bin('webpack')
  expect(project.node('out/bundle.mjs').trim()).toBe('ok')
})

it('Vite, for the server side', () => {
  const project = new Project({
    'package.json': '{ "type": "module", "dependencies": { "qwen3-embed": "*" } }',
    'main.js': entry,
    'vite.config.js': `export default { build: { ssr: 'main.js', outDir: 'out' }, ssr: { external: ['qwen3-embed'] } }`,
  })
  project.bin('vite', 'build', '--logLevel', 'error')
  expect(project.node('out/main.js').trim()).toBe('ok')
})

it('@vercel/nft finds every file that is needed', async () => {
  const project = new Project({ 'main.mjs': entry }, { linked: false })
  // A tracer follows links to where they lead; here the packages lie in the project.
  mkdirSync(join(project.folder, 'node_modules'))
  for (const name of ['qwen3-embed', '@qwen3-embed']) {
    cpSync(join(here, 'node_modules', name), join(project.folder, 'node_modules', name), {
      recursive: true,
    })
  }
  const { fileList } = await nodeFileTrace([join(project.folder, 'main.mjs')], {
    base: project.folder,
  })
  const moved = new Project({}, { linked: false })
  for (const file of fileList) {
    mkdirSync(dirname(join(moved.folder, file)), { recursive: true })
    cpSync(join(project.folder, file), join(moved.folder, file))
  }
  expect(existsSync(join(moved.folder, 'node_modules/qwen3-embed/models/mini/recipe'))).toBe(false)
  expect(moved.node('main.mjs').trim()).toBe('ok')
})
