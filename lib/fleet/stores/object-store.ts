// An object store over HTTP, whatever its vendor: what vendors do differently is their dialect.
import { stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Qwen3Error } from '../../errors.ts'
import { draftName, sha256Of } from './draft.ts'
import { type Answer, type Ask, ask, type Body, drop, refused, type Sign, textOf } from './http.ts'
import type { Item, Published, Store } from './store.ts'

export interface Listed {
  readonly items: readonly { readonly key: string; readonly size: number; readonly etag: string }[]
  readonly next: string | undefined
}

export interface Dialect {
  readonly root: string
  /** Before every name: '' or ending in a slash. */
  readonly prefix: string
  readonly sign: Sign
  urlOf(key: string): URL
  listUrl(prefix: string, next: string | undefined): URL
  parseList(xml: string): Listed
  /** Headers that create an object if there is none. */
  readonly ifAbsent: Readonly<Record<string, string>>
  /** What such a request is answered where there is one. */
  exists(status: number, text: string): boolean
  /** Where an object's sha256 is written beside it. */
  readonly digestHeader: string
  /** Of larger files by other means, where one request cannot take them. */
  readonly large?: {
    readonly from: number
    put(store: ObjectStore, key: string, file: string, size: number, sha256: string): Promise<Put>
  }
}

/** 'again': the store lost track, and asks for a new start. */
export type Put = 'created' | 'exists' | 'again'

export class ObjectStore implements Store {
  readonly root: string
  readonly dialect: Dialect

  constructor(dialect: Dialect) {
    this.root = dialect.root
    this.dialect = dialect
  }

  async stat(name: string): Promise<Item | undefined> {
    const answer = await this.#head(name)
    if (!answer) return undefined
    const { 'content-length': size = '0', etag = '' } = answer.headers
    return { name, size: Number(size), version: etag }
  }

  async *list(prefix: string): AsyncGenerator<Item> {
    const { dialect } = this
    let next: string | undefined
    do {
      const url = dialect.listUrl(`${dialect.prefix}${prefix}`, next)
      const page = dialect.parseList(await this.text({ method: 'GET', url, headers: {} }))
      for (const { key, size, etag } of page.items) {
        yield { name: key.slice(dialect.prefix.length), size, version: etag }
      }
      next = page.next
    } while (next !== undefined)
  }

  async *read(
    name: string,
    from = 0,
    to = Number.POSITIVE_INFINITY,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer> {
    let at = from
    let version: string | undefined
    let failures = 0
    while (at < to) {
      const range =
        at > 0 || Number.isFinite(to)
          ? { range: `bytes=${at}-${Number.isFinite(to) ? to - 1 : ''}` }
          : {}
      const same = version === undefined ? {} : { 'if-match': version }
      const what = this.#about(name, 'GET', { ...range, ...same }, signal)
      const answer = await ask(what, this.dialect.sign)
      if (answer.status === 416) return drop(answer)
      if (answer.status === 404) {
        drop(answer)
        throw Object.assign(new Error(`${this.root}/${name} is not there`), { code: 'ENOENT' })
      }
      if (answer.status === 412) {
        drop(answer)
        throw new Qwen3Error('ERR_STORE', `${this.root}/${name} changed while it was read`, {
          path: `${this.root}/${name}`,
        })
      }
      if (answer.status !== 200 && answer.status !== 206) throw await refused(what, answer)
      if (answer.status === 200 && at > 0) throw await refused(what, answer)
      version = answer.headers.etag
      const expected = at + Number(answer.headers['content-length'] ?? Number.NaN)
      try {
        for await (const chunk of answer.body as AsyncIterable<Buffer>) {
          signal?.throwIfAborted()
          at += chunk.length
          failures = 0
          yield chunk
        }
        if (!(at < expected)) return
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        if (++failures > 5) throw error
      } finally {
        answer.body.destroy()
      }
    }
  }

  async draft(name: string): Promise<string> {
    return join(tmpdir(), `qwen3-embed.${draftName(name)}`)
  }

  async publish(name: string, draft: string, sha256: string): Promise<Published> {
    const { dialect } = this
    const key = `${dialect.prefix}${name}`
    const { size } = await stat(draft)
    let put: Put
    for (let attempt = 1; ; attempt++) {
      const { large } = dialect
      put =
        large && size > large.from
          ? await large.put(this, key, draft, size, sha256)
          : await this.#put(key, { file: draft, from: 0, to: size, sha256 })
      if (put !== 'again') break
      if (attempt === 5) throw new Qwen3Error('ERR_STORE', `${this.root}/${name} stays in conflict`)
    }
    await unlink(draft).catch(() => {})
    if (put === 'created') return put
    return (await this.#digest(name)) === sha256 ? 'same' : 'different'
  }

  async remove(name: string): Promise<void> {
    const what = this.#about(name, 'DELETE')
    const answer = await ask(what, this.dialect.sign)
    if (answer.status >= 300 && answer.status !== 404) throw await refused(what, answer)
    drop(answer)
  }

  /** Each machine's drafts are in its own folder for what is temporary, which systems empty themselves. */
  async sweep(): Promise<void> {}

  /** The text of an answer that must be a good one. */
  async text(what: Ask): Promise<string> {
    const answer = await ask(what, this.dialect.sign)
    if (answer.status >= 300) throw await refused(what, answer)
    return textOf(answer)
  }

  send(what: Ask): Promise<Answer> {
    return ask(what, this.dialect.sign)
  }

  async #put(key: string, body: Body): Promise<Put> {
    const { ifAbsent, digestHeader } = this.dialect
    const headers = { ...ifAbsent, [digestHeader]: body.sha256 }
    const what: Ask = { method: 'PUT', url: this.dialect.urlOf(key), headers, body }
    const answer = await ask(what, this.dialect.sign)
    if (answer.status < 300) {
      drop(answer)
      return 'created'
    }
    if (answer.status !== 409 && answer.status !== 412) throw await refused(what, answer)
    return this.dialect.exists(answer.status, await textOf(answer)) ? 'exists' : 'again'
  }

  /** As its publisher wrote it; else of its bytes, all of which are read. */
  async #digest(name: string): Promise<string> {
    const answer = await this.#head(name)
    const written = answer?.headers[this.dialect.digestHeader]
    if (typeof written === 'string') return written
    const copy = await this.draft(name)
    await writeFile(copy, this.read(name))
    return sha256Of(copy).finally(() => unlink(copy))
  }

  async #head(name: string): Promise<Answer | undefined> {
    const what = this.#about(name, 'HEAD')
    const answer = await ask(what, this.dialect.sign)
    if (answer.status === 404) {
      drop(answer)
      return undefined
    }
    if (answer.status >= 300) throw await refused(what, answer)
    drop(answer)
    return answer
  }

  #about(name: string, method: Ask['method'], headers = {}, signal?: AbortSignal): Ask {
    const url = this.dialect.urlOf(`${this.dialect.prefix}${name}`)
    return { method, url, headers, signal }
  }
}

/** `s3://bucket/some/prefix` taken apart; the prefix is '' or ends in a slash. */
export function placeOf(root: string): { bucket: string; prefix: string } {
  const [bucket = '', ...rest] = root.replace(/^[a-z0-9]+:\/\//i, '').split('/')
  const prefix = rest.filter((part) => part !== '').join('/')
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` }
}

export const encodedKey = (key: string): string => key.split('/').map(encoded).join('/')

/** As RFC 3986 has it, which signatures ask for. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** The text of each element of that name; object stores' answers are flat. */
export const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}(?: [^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map((m) => m[1]!)

export const element = (xml: string, name: string): string | undefined => {
  const [text] = elements(xml, name)
  return text === undefined || text === '' ? undefined : unescaped(text)
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function unescaped(text: string): string {
  return text.replace(/&(#x?[0-9a-f]+|\w+);/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return entities[name] ?? whole
    const code = name[1] === 'x' ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1))
    return String.fromCodePoint(code)
  })
}
