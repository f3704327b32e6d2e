// A registry of the tarballs of packages/, on this machine: what package managers see of a release before there is one.
// Platforms that were not built are stubs, so that a manager that picks the wrong one is seen. For everything else it
// sends them on to the registry that npm is set to.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { platforms } from './platforms.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const upstream = process.env.npm_config_registry ?? 'https://registry.npmjs.org/'

/** Serves until `close()`; `asked` are the tarballs that were fetched. */
export async function startRegistry(folder = join(root, 'packages')) {
  const { version, packages } = JSON.parse(readFileSync(join(folder, 'packages.json'), 'utf8'))
  const files = new Map(packages.map(({ name, file }) => [name, join(folder, file)]))
  const scratch = mkdtempSync(join(tmpdir(), 'qwen3-embed-stubs-'))
  for (const platform of Object.values(platforms)) {
    const name = `@qwen3-embed/${platform.key}`
    if (!files.has(name)) files.set(name, stub(scratch, name, version, platform))
  }
  const asked = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://x').pathname).slice(1)
    const tarball = /^(.+)\/-\/[^/]+\.tgz$/.exec(path)?.[1]
    if (tarball && files.has(tarball)) {
      asked.push(tarball)
      response.end(readFileSync(files.get(tarball)))
    } else if (files.has(path)) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(packument(path, files.get(path), request.headers.host)))
    } else {
      response.writeHead(302, { location: new URL(request.url.slice(1), upstream).href }).end()
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    asked,
    close() {
      server.closeAllConnections()
      server.close()
      rmSync(scratch, { recursive: true, force: true })
    },
  }
}

function packument(name, file, host) {
  const bytes = readFileSync(file)
  const args = ['-xzOf', file, 'package/package.json']
  const manifest = JSON.parse(execFileSync('tar', args, { encoding: 'utf8' }))
  const { version } = manifest
  const dist = {
    tarball: `http://${host}/${name}/-/${name.split('/').at(-1)}-${version}.tgz`,
    integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    shasum: createHash('sha1').update(bytes).digest('hex'),
  }
  const time = { [version]: '2026-01-01T00:00:00.000Z' }
  return {
    name,
    'dist-tags': { latest: version },
    time,
    versions: { [version]: { ...manifest, dist } },
  }
}

function stub(scratch, name, version, { key, os, cpu, libc }) {
  const folder = join(scratch, key, 'package')
  mkdirSync(folder, { recursive: true })
  const manifest = {
    name,
    version,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: 'index.js',
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(folder, 'index.js'), "exports.version = 'stub'\n")
  const packed = join(scratch, `${key}.tgz`)
  execFileSync('tar', ['-czf', packed, '-C', join(scratch, key), 'package'])
  if (!existsSync(packed)) throw new Error(`No stub for ${key}`)
  return packed
}
