// What is known of a model, for people and for records kept beside vectors.
import type { NativeFacts, NativeFinding, NativeModelFacts, NativeStats } from './native.ts'

/** A departure from what a good file has, and what this package does about it. */
export type Finding = NativeFinding

/** Work done since loading. */
export type Stats = NativeStats

/** Facts of a GGUF file, from its header alone. Sizes in bytes, lengths in tokens. */
export interface FileInfo extends Omit<NativeFacts, 'isQwen3'> {
  path: string
}

/** Facts of a loaded model. */
export interface ModelInfo extends FileInfo {
  /** The bundled model is an independent one for first runs: it is not a Qwen model. */
  bundled: boolean
  /** Who computes, where, and with which kernels. */
  engine: 'packed' | 'generic'
  device: string
  kernels: string
  maxTokens: number
  /** Tokens a pass holds. */
  budget: number
}

export function fileInfo(path: string, { isQwen3: _, ...facts }: NativeFacts): FileInfo {
  return { path, ...facts }
}

export function modelInfo(
  { paths, bundled, note }: { paths: string[]; bundled: boolean; note?: string },
  native: NativeModelFacts,
): ModelInfo {
  const { rowWidth: _, isQwen3: __, ...facts } = native
  const known = note ? [{ fatal: false, what: note, remedy: '' }] : []
  return Object.freeze({
    ...facts,
    path: paths[0]!,
    bundled,
    findings: [...known, ...facts.findings],
  })
}
