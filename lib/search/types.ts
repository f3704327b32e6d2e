// What crosses between the threads of an index, and what it answers.

/** A file as the walk saw it. */
export interface Entry {
  /** Below its root, with slashes. */
  readonly path: string
  readonly size: number
  /** Milliseconds since 1970. */
  readonly mtime: number
  readonly inode: number
}

/** One of them to be read. */
export interface Wanted extends Entry {
  readonly root: number
  /** Of the bytes that the index knows it by, in hex. */
  readonly hash: string | undefined
}

export interface ReadChunk {
  /** UTF-16 offsets in the document's text. */
  readonly start: number
  readonly stop: number
  /** From 1; of the file's text. */
  readonly line: number
  /** From 1, of a document that has pages; else 0. */
  readonly page: number
  /** Title and headings above it. */
  readonly head: string
  /** 16 bytes, of head and text. */
  readonly hash: Uint8Array
  readonly words: number
  /** Words between spaces. */
  readonly headWords: string
  readonly bodyWords: string
}

/** A file that was read. */
export interface ReadFile {
  readonly wanted: Wanted
  readonly state: 'ok' | 'skipped' | 'failed'
  /** Why it was skipped, failed, or is not there as a whole. */
  readonly why: string
  /** Hex; '' where it could not be read. */
  readonly hash: string
  readonly kind: Kind
  readonly title: string
  readonly date: number
  /** Deflated. */
  readonly text: Uint8Array
  readonly chunks: readonly ReadChunk[]
}

/** Its bytes are those that the index knows. */
export interface SameFile {
  readonly wanted: Wanted
  readonly state: 'same'
}

export const kinds = [
  ...(['markdown', 'text', 'code', 'html', 'pdf', 'word', 'table', 'data', 'mail'] as const),
] as const
export type Kind = (typeof kinds)[number]

export interface Rules {
  /** Globs of files to take; all where there are none. */
  include?: readonly string[] | undefined
  /** Globs of files and folders to leave out. */
  exclude?: readonly string[] | undefined
  /** Files and folders whose names begin with a dot too. @default false */
  hidden?: boolean | undefined
  /** Heed .gitignore and .qwen3ignore, and leave out what tools make (node_modules, dist, …). @default true */
  ignoreFiles?: boolean | undefined
  /** Bytes of the largest file that is read. @default 20 MiB; 200 MiB for PDF */
  maxFile?: number | undefined
}

export interface Root {
  readonly id: number
  readonly path: string
  readonly rules: Rules
  /** When its last walk ended, in milliseconds since 1970; 0 if it was never walked. */
  readonly walked: number
}

/** How a passage is found. */
export interface Hit {
  /** For `passage`; good until the file changes. */
  id: string
  /** Of the file. */
  path: string
  /** Below its root. */
  name: string
  kind: Kind
  title: string
  /** Title and headings above it. */
  head: string
  /** From 1, the last one included. */
  lines: [first: number, last: number]
  page?: number | undefined
  text: string
  /** Fused, about 0 to 1; of code, more. */
  score: number
  /** With the question. */
  cosine?: number | undefined
  /** BM25. */
  words?: number | undefined
  /** Words of the question that stand in it. */
  matched: string[]
  /** P(yes) of the reranker. */
  relevance?: number | undefined
  /** Whose vector stands for the meaning. */
  by: 'main' | 'stand-in' | 'words'
  /** Milliseconds since 1970. */
  date: number
  /** Other files that hold the same passage. */
  also?: string[] | undefined
}

export interface Answer {
  hits: Hit[]
  /** Nothing matches well. */
  weak: boolean
  /** The folders may have changed since the index was brought up to date. */
  stale: boolean
  /** Share of passages that have the model's vector. */
  coverage: number
  /** Of the model whose vectors are searched; '' if there are none. */
  fingerprint: string
  /** Why the answer is less than it could be. */
  remarks: string[]
  /** Milliseconds. */
  took: { embed: number; search: number; rerank: number }
}

export interface Filters {
  /** Globs of paths below their root; any of them. */
  in?: readonly string[] | undefined
  /** Any of these kinds. */
  types?: readonly Kind[] | undefined
  /** Milliseconds since 1970: files changed at or after it. */
  since?: number | undefined
  /** … and before it. */
  until?: number | undefined
}

/** A search, as the thread of the store is asked. */
export interface Request extends Filters {
  readonly query: string
  readonly limit: number
  readonly perFile: number
  /** Weight of the meaning against that of words; undefined: by the question. */
  readonly alpha: number | undefined
  /** Of the query, by space. */
  readonly vectors: readonly { space: number; vector: Float32Array }[]
  /** Characters of a passage at most. */
  readonly longest: number
  readonly fusion: 'scores' | 'ranks'
}
