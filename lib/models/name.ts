import { readdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected, Qwen3Error } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { aliases, bundled, defaultQuant } from './catalog.ts'
import { canonicalQuant } from './quant.ts'

/** What a model name means, before anything is looked up. */
export type ModelName =
  | { readonly kind: 'bundled' }
  | { readonly kind: 'alias'; readonly alias: string; readonly quant: string }
  | {
      readonly kind: 'hub'
      readonly repo: string
      readonly revision: string
      readonly quant?: string
      readonly file?: string
    }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string; readonly sha256?: string }

const repoPattern = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/
const hubHosts = new Set(['huggingface.co', 'www.huggingface.co', 'hf.co'])
const forms =
  `a short name (${aliases.join(', ')}), each with an optional quantization such as :Q4_K_M; ` +
  'owner/repository; hf:owner/repository/file.gguf@revision; a path to a .gguf; or an https address of one'

/** Reads a name. A name that is also a model on this disk means the one on the disk. */
export function readName(name: string, isLocal: (path: string) => boolean = holdsModel): ModelName {
  if (typeof name !== 'string') {
    throw new TypeError(expected('a model name or path', 'the model', name))
  }
  if (name.trim() === '') throw nonsense(name, 'The name of the model is empty')
  if (name.includes('\0')) throw nonsense(name, 'The name of the model contains a NUL character')
  if (/^file:/i.test(name)) return fromFileUrl(name)
  if (/^https?:/i.test(name)) return fromUrl(name)
  if (/^(?:hf|huggingface):/i.test(name)) return fromHub(name, name.replace(/^\w+:(?:\/\/)?/, ''))
  const path = onDisk(name)
  if (looksLikePath(name) || isLocal(path)) return { kind: 'path', path }
  return fromAlias(name) ?? fromRepository(name)
}

/** A file, or a folder with at least one GGUF directly inside. */
function holdsModel(path: string): boolean {
  try {
    if (!statSync(path).isDirectory()) return true
    return readdirSync(path).some((entry) => /\.gguf$/i.test(entry))
  } catch {
    return false
  }
}

function looksLikePath(name: string): boolean {
  return /^(?:\.{1,2}$|\.{0,2}[\\/]|~[\\/]|[A-Za-z]:[\\/])/.test(name) || /\.gguf$/i.test(name)
}

function onDisk(name: string): string {
  return resolve(/^~[\\/]/.test(name) ? join(homedir(), name.slice(2)) : name)
}

function fromFileUrl(name: string): ModelName {
  try {
    return { kind: 'path', path: fileURLToPath(name) }
  } catch (cause) {
    throw nonsense(name, `${quote(name)} is not a file address of this machine`, { cause })
  }
}

function fromUrl(name: string): ModelName {
  let url: URL
  try {
    url = new URL(name)
  } catch (cause) {
    throw nonsense(name, `${quote(name)} is not a valid address`, { cause })
  }
  const page = hubHosts.has(url.hostname) ? fromHubPage(name, url) : undefined
  if (page !== undefined) return page
  const loopback = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && !loopback) {
    throw nonsense(name, `${quote(name)} would be fetched unencrypted: use its https address`)
  }
  const file = partsOfPath(url)?.at(-1)
  if (file === undefined || !isSafePath(file) || !/\.gguf$/i.test(file)) {
    throw nonsense(name, `${quote(name)} is not the address of a .gguf file`)
  }
  const sha256 = /^#sha256=([0-9a-f]{64})$/i.exec(url.hash)?.[1]?.toLowerCase()
  if (url.hash !== '' && sha256 === undefined) {
    throw nonsense(name, `${quote(name)} should end in #sha256= and 64 hex digits, or have no #`)
  }
  url.hash = ''
  return { kind: 'url', url: url.href, ...(sha256 === undefined ? {} : { sha256 }) }
}

/** The address bar of the hub's website, pasted: the repository, or a file in it. */
function fromHubPage(name: string, url: URL): ModelName | undefined {
  const [owner, repo, view, revision, ...file] = partsOfPath(url) ?? []
  if (owner === undefined || repo === undefined) return undefined
  const at = revision === undefined ? '' : `@${revision}`
  if (view === undefined || view === 'tree') return fromHub(name, `${owner}/${repo}${at}`)
  if ((view === 'resolve' || view === 'blob') && file.length > 0) {
    return fromHub(name, `${owner}/${repo}/${file.join('/')}${at}`)
  }
  return undefined
}

/** Undefined where something in it is not well encoded. */
function partsOfPath(url: URL): string[] | undefined {
  try {
    const parts = url.pathname.split('/').filter((part) => part !== '')
    return parts.map((part) => decodeURIComponent(part))
  } catch {
    return undefined
  }
}

/** `owner/repo[:quant | /path/file.gguf][@revision]`, the `hf:` already gone. */
function fromHub(name: string, rest: string): ModelName {
  const at = rest.indexOf('@')
  const target = at === -1 ? rest : rest.slice(0, at)
  const revision = at === -1 ? 'main' : rest.slice(at + 1)
  const [owner = '', second = '', ...folders] = target.split('/')
  const [repository = '', quant, ...extra] = second.split(':')
  const repo = `${owner}/${repository}`
  const file = folders.join('/')
  if (!repoPattern.test(repo) || /\.\.|--/.test(repo) || extra.length > 0) {
    throw nonsense(name, `${quote(name)} names no repository (owner/repository)`)
  }
  if (!isSafeRevision(revision)) throw nonsense(name, `${quote(name)} has no valid @revision`)
  if (file !== '' && (quant !== undefined || !isSafePath(file) || !/\.gguf$/i.test(file))) {
    throw nonsense(name, `${quote(name)} does not end in the path of a .gguf file`)
  }
  if (quant !== undefined && !/^[\w-]+$/.test(quant)) {
    throw nonsense(name, `${quote(name)} has no quantization after its colon`)
  }
  return {
    kind: 'hub',
    repo,
    revision,
    ...(file === '' ? {} : { file }),
    ...(quant === undefined ? {} : { quant: canonicalQuant(quant) }),
  }
}

function fromAlias(name: string): ModelName | undefined {
  const [alias = '', quant, ...extra] = name.toLowerCase().split(':')
  if (!aliases.includes(alias) || extra.length > 0) return undefined
  if (quant !== undefined && !/^[\w-]+$/.test(quant)) {
    throw nonsense(name, `${quote(name)} has no quantization after its colon`)
  }
  if (alias !== bundled.name) {
    return { kind: 'alias', alias, quant: canonicalQuant(quant ?? defaultQuant) }
  }
  if (quant !== undefined && canonicalQuant(quant) !== bundled.quant) {
    throw nonsense(name, `${bundled.name} comes in ${bundled.quant} only`)
  }
  return { kind: 'bundled' }
}

function fromRepository(name: string): ModelName {
  if (/^[^/@]+\/[^/@]+(?:@.*)?$/.test(name)) return fromHub(name, name)
  const near = nearest(name.toLowerCase(), aliases)
  throw nonsense(name, `${quote(name)} is not the name of a model`, { near })
}

/** Safe to join below a folder on every platform: names come from servers as well as from users. */
export function isSafePath(path: string): boolean {
  return path
    .split('/')
    .every((part) => /^[^\\:*?"<>|\p{Cc}]+$/u.test(part) && !/^\.+$|[. ]$/.test(part))
}

function isSafeRevision(revision: string): boolean {
  return /^[\w./-]+$/.test(revision) && isSafePath(revision)
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 200))
}

function nonsense(
  name: string,
  sentence: string,
  { cause, near }: { cause?: unknown; near?: string | undefined } = {},
): Qwen3Error {
  // One near miss says more than all forms there are.
  const remedy = near === undefined ? `A model is named by ${forms}` : `Did you mean ${near}?`
  return new Qwen3Error(
    'ERR_MODEL_NAME',
    sentence,
    { name: name.slice(0, 200), ...(near === undefined ? {} : { near }) },
    { remedy, cause },
  )
}
