import { Qwen3Error } from '../errors.ts'

/** Exact bytes of a published file. */
export interface KnownFile {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

/** One repository an alias may draw from. */
export interface Source {
  readonly repo: string
  /** A commit where we know the bytes behind it, otherwise a branch. */
  readonly revision: string
  /** Keyed by quantization in upper case. Others are looked up in the repository. */
  readonly files: Readonly<Record<string, KnownFile>>
}

/** The quantization a name means when it names none. */
export const defaultQuant = 'Q8_0'

/** The model that travels inside the package, relative to the package's folder. */
export const bundled = {
  name: 'mini',
  quant: 'Q8_0',
  path: ['models', 'mini', 'mini-embed-Q8_0.gguf'],
} as const

// Revisions are pinned so that an alias always means the same bytes: vectors in an index must not
// change because a repository did. Rerankers are third-party conversions, all made with llama.cpp's
// own converter, which keeps the yes/no head; Qwen publishes no reranker GGUF.
const sources: Readonly<Record<string, readonly [Source, ...Source[]]>> = {
  'qwen3-embedding-0.6b': [
    {
      repo: 'Qwen/Qwen3-Embedding-0.6B-GGUF',
      revision: '370f27d7550e0def9b39c1f16d3fbaa13aa67728',
      files: {
        Q8_0: {
          path: 'Qwen3-Embedding-0.6B-Q8_0.gguf',
          size: 639_150_592,
          sha256: '06507c7b42688469c4e7298b0a1e16deff06caf291cf0a5b278c308249c3e439',
        },
        F16: {
          path: 'Qwen3-Embedding-0.6B-f16.gguf',
          size: 1_197_629_632,
          sha256: '421a27e58d165478cc7acb984a688c2aa41404968b0203e7cd743ece44c54340',
        },
      },
    },
  ],
  'qwen3-embedding-4b': [
    {
      repo: 'Qwen/Qwen3-Embedding-4B-GGUF',
      // After the re-upload of 2025-08-03: the Q8_0 before it gives garbage.
      revision: 'f4602530db1d980e16da9d7d3a70294cf5c190be',
      files: {
        Q8_0: {
          path: 'Qwen3-Embedding-4B-Q8_0.gguf',
          size: 4_279_660_224,
          sha256: 'b60ae5ce2dd6a0b77f82cadf21def1f310a3e10cde380ad0081b07a9d416949d',
        },
        Q4_K_M: {
          path: 'Qwen3-Embedding-4B-Q4_K_M.gguf',
          size: 2_496_703_776,
          sha256: '2b0cf8f17b4c723c27303015383c27ec4bf2d8314bb677d05e920dd70bb0f16b',
        },
        F16: {
          path: 'Qwen3-Embedding-4B-f16.gguf',
          size: 8_049_889_824,
          sha256: 'e8b4e85c8fcc26079d27418cf8d6a16df1a09890cba0966324a97280f91e782c',
        },
      },
    },
  ],
  'qwen3-embedding-8b': [
    {
      repo: 'Qwen/Qwen3-Embedding-8B-GGUF',
      revision: '69d0e58a13e463cd99a9b83e3f5fee7c10265fab',
      files: {
        Q8_0: {
          path: 'Qwen3-Embedding-8B-Q8_0.gguf',
          size: 8_047_105_824,
          sha256: 'd20ddc71e8a5c4344f2343481e242233a997dc5eaff442427a945836c97b4deb',
        },
        Q4_K_M: {
          path: 'Qwen3-Embedding-8B-Q4_K_M.gguf',
          size: 4_676_804_928,
          sha256: '3fcd3febec8b3fd64435204db75bf0dd73b91e8d0661e0331acfe7e7c3120b85',
        },
      },
    },
  ],
  'qwen3-reranker-0.6b': [
    {
      repo: 'ggml-org/Qwen3-Reranker-0.6B-Q8_0-GGUF',
      revision: 'a02f48bb4f057028298c21fa033da2b30d7742d5',
      files: {
        Q8_0: {
          path: 'qwen3-reranker-0.6b-q8_0.gguf',
          size: 639_153_184,
          sha256: '22c9979ce4fbcdc5acdc310c6641c32797eff1aa980b8f7a2db8a8ea23429a48',
        },
      },
    },
    { repo: 'giladgd/Qwen3-Reranker-0.6B-GGUF', revision: 'main', files: {} },
  ],
  'qwen3-reranker-4b': [
    {
      repo: 'giladgd/Qwen3-Reranker-4B-GGUF',
      revision: '618ca919a196583806708d695f64dc002bd229a3',
      files: {
        Q4_K_M: {
          path: 'Qwen3-Reranker-4B.Q4_K_M.gguf',
          size: 2_496_717_472,
          sha256: '941f7d1d1524251c026a797b803ac9575545c5d7aa19b26e0e49661d7720af49',
        },
      },
    },
  ],
  'qwen3-reranker-8b': [{ repo: 'giladgd/Qwen3-Reranker-8B-GGUF', revision: 'main', files: {} }],
}

/** Every short name, the bundled one included. */
export const aliases: readonly string[] = [bundled.name, ...Object.keys(sources)]

/** Where an alias's quantization comes from: the first source that knows the file, else the last. */
export function sourceOf(alias: string, quant: string): Source {
  const from = sources[alias]!
  return from.find((source) => source.files[quant] !== undefined) ?? from.at(-1)!
}

/** The published file these bytes are, if we know it. */
export function identify(sha256: string): { name: string; revision: string } | undefined {
  for (const [alias, from] of Object.entries(sources)) {
    for (const { files, revision } of from) {
      for (const [quant, file] of Object.entries(files)) {
        if (file.sha256 === sha256) return { name: `${alias}:${quant}`, revision }
      }
    }
  }
  return undefined
}

/** A file that can be fetched by a short name. */
export interface KnownModel {
  /** What `resolveModel` takes. */
  readonly name: string
  readonly kind: 'embedding' | 'reranking'
  /** Such as `Q8_0`; the one that a name without any means comes first. */
  readonly quant: string
  /** Of the file; undefined where it is known at the hub only. */
  readonly bytes: number | undefined
  readonly repo: string | undefined
  readonly license: string
  readonly bundled: boolean
}

/** Every model that has a short name, and in which quantizations its bytes are known. */
export function knownModels(): KnownModel[] {
  const mini = {
    name: bundled.name,
    kind: 'embedding',
    quant: bundled.quant,
    bytes: undefined,
    repo: undefined,
    license: 'MIT',
    bundled: true,
  } as const
  const others = Object.entries(sources).flatMap(([alias, from]) => {
    const kind = alias.includes('rerank') ? 'reranking' : 'embedding'
    const shared = { kind, license: 'Apache-2.0', bundled: false } as const
    const files = from.flatMap(({ repo, files }) =>
      Object.entries(files).map(([quant, { size }]) => ({
        name: quant === defaultQuant ? alias : `${alias}:${quant}`,
        quant,
        bytes: size as number | undefined,
        repo,
        ...shared,
      })),
    )
    if (files.length > 0) return files
    const repo = from[0].repo
    return [{ name: alias, quant: defaultQuant, bytes: undefined, repo, ...shared }]
  })
  return [mini, ...others]
}

const headless = /^(?:DevQuasar|mradermacher|Mungert|QuantFactory|dean2155|greenwich157)\//i
const reranker = /Qwen3-Reranker-(0\.6B|4B|8B)/i
const original = /^Qwen\/Qwen3-(Embedding|Reranker)-(0\.6B|4B|8B)(-GGUF)?$/i

/** What to tell someone who loads from a repository with a known defect; the file still works here. */
export function noteOn(repo: string): string | undefined {
  const size = reranker.exec(repo)?.[1]
  if (size === undefined || !headless.test(repo)) return undefined
  return (
    `${repo} was converted without the reranker's head: tools that expect one return noise (scores near ` +
    '1e-20). Scores are computed here from the yes and no rows of the output matrix instead; ' +
    `qwen3-reranker-${size.toLowerCase()} is a conversion that has the head`
  )
}

/** Throws for repositories that hold no GGUF but look as if they would. */
export function refuseWithoutGguf(repo: string): void {
  const match = original.exec(repo)
  if (match === null) return
  const [, kind, size, gguf] = match
  const isEmbedding = kind!.toLowerCase() === 'embedding'
  if (isEmbedding && gguf !== undefined) return
  const alias = `qwen3-${kind!.toLowerCase()}-${size!.toLowerCase()}`
  throw new Qwen3Error(
    'ERR_MODEL_NOT_FOUND',
    isEmbedding ? `${repo} holds no GGUF file` : 'Qwen publishes no GGUF of its rerankers',
    { repo, alias },
    { remedy: `Use ${alias}, which is ${sourceOf(alias, defaultQuant).repo}.` },
  )
}
