// Which model is meant where none is named: the environment's, the config file's, the bundled one.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Misuse } from './misuse.ts'

type Kind = 'model' | 'reranker'

export interface Default {
  readonly name: string
  /** Where it was said. */
  readonly from: string
}

type Environment = Readonly<Record<string, string | undefined>>

const variables: Readonly<Record<Kind, string>> = {
  model: 'QWEN3_EMBED_MODEL',
  reranker: 'QWEN3_EMBED_RERANKER',
}

export function defaultOf(kind: Kind, env: Environment = process.env): Default | undefined {
  const variable = variables[kind]
  const said = env[variable]?.trim()
  if (said) return { name: said, from: variable }
  const path = configPath(env)
  const name = readConfig(path)[kind]
  return name === undefined ? undefined : { name, from: path }
}

/** `QWEN3_EMBED_CONFIG`, or `qwen3-embed/config.json` where a user's settings are. */
export function configPath(env: Environment = process.env): string {
  if (env.QWEN3_EMBED_CONFIG) return env.QWEN3_EMBED_CONFIG
  const settings = env.XDG_CONFIG_HOME || env.APPDATA || join(homedir(), '.config')
  return join(settings, 'qwen3-embed', 'config.json')
}

function readConfig(path: string): Partial<Record<Kind, string>> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new Misuse(`${path} could not be read: ${(error as Error).message}`, { cause: error })
  }
  return checked(path, text)
}

function checked(path: string, text: string): Partial<Record<Kind, string>> {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new Misuse(`${path} is not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new Misuse(`Expected an object in ${path}, such as {"model": "qwen3-embedding-0.6b"}`)
  }
  for (const [name, value] of Object.entries(config)) {
    if (!Object.hasOwn(variables, name)) {
      throw new Misuse(
        `Unknown setting ${JSON.stringify(name)} in ${path}. There are model and reranker.`,
      )
    }
    if (typeof value !== 'string')
      throw new Misuse(`Expected a name of a model for ${name} in ${path}`)
  }
  return config
}
