// What is known of a model, for people and for records kept beside vectors.
import { familyOf } from './families.ts'
import type { EngineStats } from './engine.ts'
import type { NativeAdapter, NativeFacts, NativeFinding, NativeModelFacts } from './native.ts'
import type { Pooling } from './options.ts'

/** A departure from what a good file has, and what this package does about it. */
export interface Finding extends NativeFinding {
  /** Loading says it aloud, as a process warning. */
  isWarning?: boolean | undefined
}

/** Work done since loading. Of a model in a process of its own, as it told with its last answer. */
export type Stats = EngineStats

/** Facts of a GGUF file, from its header alone. Sizes in bytes, lengths in tokens. */
export interface FileInfo extends Omit<NativeFacts, 'isQwen3' | 'quantisation' | 'findings'> {
  path: string
  /** The type that most weights have, such as `Q8_0`. */
  quantization: string
  /** Which models it is one of, by its architecture and name: it decides how queries are written. '' if unknown. */
  family: string
  findings: Finding[]
}

/** An adapter as it was loaded. */
export type LoadedAdapter = NativeAdapter

/** Facts of a loaded model. */
export interface ModelInfo extends FileInfo {
  /**
   * As `fingerprint`, which is that of documents: differs from it where an adapter changes queries alone, so that an
   * index made without the adapter stays valid.
   */
  queryFingerprint: string
  /** Adapters it was loaded with, in their order. */
  adapters: readonly LoadedAdapter[]
  /** The bundled model is an independent one for first runs: it is not a Qwen model. */
  bundled: boolean
  /** Who computes, where, and with which kernels. */
  engine: 'packed' | 'generic'
  device: string
  kernels: string
  /** What a GPU multiplies with: the file's own types, or those they were made into at load. */
  gpuWeights: 'file' | 'bf16' | 'f16'
  maxTokens: number
  /** Tokens a pass holds. */
  budget: number
  /** Threads of a pass on the CPU. */
  threads: number
  /** Why so many: `2 physical cores of the 4 CPUs this process may use`. */
  threadsReason: string
  /** Whether it computes in a process of its own. */
  isolated: boolean
}

export function fileInfo(path: string, native: NativeFacts): FileInfo {
  const { isQwen3: _, quantisation, findings, ...facts } = native
  const family = familyOf(facts.architecture, facts.name, path)
  return {
    path,
    ...facts,
    quantization: quantisation,
    family: family.name,
    findings: [...findings, ...poolingFindings(native, family.pooling)],
  }
}

export function modelInfo(
  { paths, bundled, note }: { paths: string[]; bundled: boolean; note?: string | undefined },
  native: NativeModelFacts,
  isolated: boolean,
): ModelInfo {
  const { rowWidth: _, queryFingerprint, adapters, ...loaded } = native
  const {
    engine,
    device,
    kernels,
    gpuWeights,
    maxTokens,
    budget,
    threads,
    threadsReason,
    ...facts
  } = loaded
  const file = fileInfo(paths[0]!, facts)
  const known = note ? [{ fatal: false, what: note, remedy: '' }] : []
  const findings = [...known, ...file.findings]
  const who = { engine, device, kernels, gpuWeights, maxTokens, budget }
  const computing = { ...who, threads, threadsReason, isolated }
  return Object.freeze({ ...file, bundled, queryFingerprint, adapters, ...computing, findings })
}

/** How a file's texts are pooled where a call does not say: as it declares, unless that gives no vector for a text. */
export function poolingOf(declared: NativeFacts['pooling'], family: Pooling | undefined): Pooling {
  return declared && declared !== 'rank' && declared !== 'none' ? declared : (family ?? 'last')
}

function poolingFindings(
  { pooling: declared, head }: NativeFacts,
  family: Pooling | undefined,
): Finding[] {
  if (declared === null || declared === 'rank' || head === 'cls') return []
  const used = poolingOf(declared, family)
  if (declared === 'none') {
    const what = 'the file declares pooling none, a row for each token'
    const remedy = `${used} pooling is applied; pass pooling: 'none' for rows`
    return [{ fatal: false, what, remedy, isWarning: true }]
  }
  if (family === undefined || declared === family) return []
  const what = `the file declares ${declared} pooling, but its family is trained with ${family}`
  const remedy = `${used} is applied, as the file says; pass pooling: '${family}' if it was converted wrongly`
  return [{ fatal: false, what, remedy, isWarning: true }]
}
