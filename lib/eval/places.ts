import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/** What this module keeps: vectors and fetched collections. `QWEN3_EMBED_CACHE` says where. */
export function cacheFolder(...inner: string[]): string {
  const { QWEN3_EMBED_CACHE: own, XDG_CACHE_HOME: shared } = process.env
  return own
    ? join(resolve(own), ...inner)
    : join(shared || join(homedir(), '.cache'), 'qwen3-embed', ...inner)
}
