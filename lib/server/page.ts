// The page at `/`: a few files, one answer, nothing fetched from elsewhere.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../root.ts'
import type { HttpResponse } from './http/messages.ts'

const made = new Map<boolean, HttpResponse>()

/** With the view over files, where there is an index. */
export function page(hasIndex: boolean): HttpResponse {
  const known = made.get(hasIndex) ?? make(hasIndex)
  made.set(hasIndex, known)
  return { ...known, headers: { ...known.headers } }
}

function make(hasIndex: boolean): HttpResponse {
  const read = (name: string) => readFileSync(join(root, 'lib', 'server', 'page', name), 'utf8')
  const style = read('page.css')
  const scripts: string[] = []
  const whole = read('page.html')
    .replace('<html lang="en">', (tag) => (hasIndex ? tag.replace('>', ' data-index>') : tag))
    .replace('<link rel="stylesheet" href="page.css" />', () => `<style>${style}</style>`)
    .replace(/<script type="module" src="(\w+\.js)"><\/script>/g, (_, name: string) => {
      const script = read(name)
      scripts.push(`'${hash(script)}'`)
      return `<script type="module">${script}</script>`
    })
  const policy = [
    "default-src 'none'",
    `style-src '${hash(style)}'`,
    `script-src ${scripts.join(' ')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-cache',
    },
    body: whole,
  }
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
