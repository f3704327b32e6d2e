// What an index would take of a folder, and what it would leave.
import { realpath } from 'node:fs/promises'
import { Reader } from './files/reader.ts'
import { checkedRules } from './options.ts'
import type { Entry, Rules } from './types.ts'

export interface Listing {
  files: { path: string; size: number }[]
  left: { path: string; why: string }[]
}

/** @throws Qwen3Error `ERR_INDEX_NOT_FOUND` if there is no such folder */
export async function listFolder(folder: string, rules: Rules = {}): Promise<Listing> {
  checkedRules(rules)
  const reader = new Reader()
  try {
    const found: Entry[] = []
    const root = await realpath(folder).catch(() => folder)
    const { left } = await reader.walk(root, rules, (entries) => found.push(...entries), true)
    return { files: found.map(({ path, size }) => ({ path, size })), left }
  } finally {
    await reader.close()
  }
}
