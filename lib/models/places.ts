import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Qwen3Error } from '../errors.ts'

/** Where models come from and where they are kept, from options and Hugging Face's variables. */
export interface Places {
  /** The hub cache: the folder that holds `models--owner--repo`. */
  readonly hub: string
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | undefined
  readonly offline: boolean
}

export interface PlaceOptions {
  /** The hub cache folder; `HF_HUB_CACHE` otherwise. */
  cacheDir?: string | undefined
  /** A mirror of the hub; `HF_ENDPOINT` otherwise. */
  endpoint?: string | undefined
  /** An access token; `HF_TOKEN` or the token that `hf auth login` stored otherwise. */
  token?: string | undefined
  /** Use what is cached and nothing else; `HF_HUB_OFFLINE` otherwise. */
  offline?: boolean | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

export const defaultEndpoint = 'https://huggingface.co'

export async function readPlaces(
  options: PlaceOptions = {},
  env: Environment = process.env,
): Promise<Places> {
  const home = homeOf(env)
  return {
    hub: resolve(options.cacheDir ?? hubOf(home, env)),
    endpoint: readEndpoint(options.endpoint ?? set(env.HF_ENDPOINT) ?? defaultEndpoint),
    token: set(options.token) ?? (await storedToken(home, env)),
    offline: options.offline ?? (isOn(env.HF_HUB_OFFLINE) || isOn(env.TRANSFORMERS_OFFLINE)),
  }
}

function homeOf(env: Environment): string {
  const cache = set(env.XDG_CACHE_HOME) ?? join(homedir(), '.cache')
  return expand(set(env.HF_HOME) ?? join(cache, 'huggingface'))
}

function hubOf(home: string, env: Environment): string {
  return expand(set(env.HF_HUB_CACHE) ?? set(env.HUGGINGFACE_HUB_CACHE) ?? join(home, 'hub'))
}

function readEndpoint(text: string): string {
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {}
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new Qwen3Error(
      'ERR_MODEL_NAME',
      `The hub's address ${JSON.stringify(text)} is not an http or https address`,
      { endpoint: text },
      {
        remedy: `Correct HF_ENDPOINT or the endpoint option, or leave it out for ${defaultEndpoint}.`,
      },
    )
  }
  return text.replace(/\/+$/, '')
}

async function storedToken(home: string, env: Environment): Promise<string | undefined> {
  if (isOn(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const direct = set(env.HF_TOKEN) ?? set(env.HUGGING_FACE_HUB_TOKEN)
  if (direct !== undefined) return direct
  const file = expand(set(env.HF_TOKEN_PATH) ?? join(home, 'token'))
  return set(await readFile(file, 'utf8').catch(() => ''))
}

function set(value: string | undefined): string | undefined {
  const trimmed = value?.trim()
  return trimmed === '' ? undefined : trimmed
}

function isOn(value: string | undefined): boolean {
  return /^(?:1|on|yes|true)$/i.test(value ?? '')
}

function expand(path: string): string {
  return /^~(?=$|[\\/])/.test(path) ? join(homedir(), path.slice(1)) : path
}
