// What each family of embedding models wants before a text, to the byte, and how it pools. Each source is the model's
// own card on the hub.
import type { Pooling } from './options.ts'
import { defaultInstruction, queryPrefix } from './prompts.ts'

/** How a family's texts are written. A prefix ends where the text begins. */
export interface Family {
  readonly name: string
  readonly pooling: Pooling | undefined
  /** What queries are for where the caller does not say; '' where a family takes no instruction. */
  readonly instruction: string
  /** Before a query; the instruction is '' for none. Undefined where a family takes no instruction of the caller's. */
  readonly instructed: ((instruction: string) => string) | undefined
  /** Before a query without a word of the caller. */
  readonly query: string
  /** Before a document. */
  readonly document: string
}

interface Rule {
  readonly name: string
  readonly architecture: RegExp
  /** Of the file's `general.name`, or of its path. */
  readonly called: RegExp
  readonly pooling?: Pooling
  readonly query?: string
  readonly document?: string
  readonly instruction?: string
  readonly instructed?: (instruction: string) => string
}

const instructQuery = (instruction: string) =>
  instruction.trim() === '' ? '' : `Instruct: ${instruction}\nQuery: `
const bgeEnglish = 'Represent this sentence for searching relevant passages: '

/** The first that fits counts: those that a name tells apart stand before those that only an architecture does. */
const rules: readonly Rule[] = [
  {
    name: 'Qwen3-Embedding',
    architecture: /^qwen3$/,
    called: /./,
    pooling: 'last',
    instruction: defaultInstruction,
    instructed: queryPrefix,
  },
  {
    name: 'gte-Qwen2',
    architecture: /^qwen2$/,
    called: /gte|instruct/i,
    pooling: 'last',
    instruction: defaultInstruction,
    instructed: instructQuery,
  },
  {
    name: 'E5-instruct',
    architecture: /./,
    called: /e5-mistral|\be5\b.*instruct/i,
    instruction: defaultInstruction,
    instructed: instructQuery,
  },
  {
    name: 'E5',
    architecture: /./,
    called: /(?:^|[^a-z])(?:multilingual-)?e5(?:[^a-z\d]|$)/i,
    pooling: 'mean',
    query: 'query: ',
    document: 'passage: ',
  },
  { name: 'BGE-M3', architecture: /./, called: /bge[-_ ]?m3/i, pooling: 'cls' },
  {
    name: 'BGE (Chinese)',
    architecture: /^bert$/,
    called: /bge.*zh/i,
    pooling: 'cls',
    query: '为这个句子生成表示以用于检索相关文章：',
  },
  {
    name: 'BGE',
    architecture: /^bert$/,
    called: /bge|mxbai-embed/i,
    pooling: 'cls',
    query: bgeEnglish,
  },
  {
    name: 'Arctic Embed 2',
    architecture: /./,
    called: /arctic-embed.*v2/i,
    pooling: 'cls',
    query: 'query: ',
  },
  {
    name: 'Arctic Embed',
    architecture: /./,
    called: /arctic-embed/i,
    pooling: 'cls',
    query: bgeEnglish,
  },
  {
    name: 'EmbeddingGemma',
    architecture: /^gemma-embedding$/,
    called: /./,
    pooling: 'mean',
    query: 'task: search result | query: ',
    document: 'title: none | text: ',
    instruction: 'search result',
    instructed: (instruction) =>
      instruction.trim() === '' ? '' : `task: ${instruction} | query: `,
  },
  {
    name: 'Nomic Embed',
    architecture: /^nomic-bert/,
    called: /./,
    pooling: 'mean',
    query: 'search_query: ',
    document: 'search_document: ',
  },
  {
    name: 'Jina Embeddings v3',
    architecture: /^jina-bert-v3$/,
    called: /./,
    pooling: 'mean',
    query: 'Represent the query for retrieving evidence documents: ',
    document: 'Represent the document for retrieval: ',
  },
]

const unknown: Family = {
  name: '',
  pooling: undefined,
  instruction: '',
  instructed: undefined,
  query: '',
  document: '',
}

/** The family of a file, by its architecture and by what it is called. */
export function familyOf(architecture: string, name: string, path: string): Family {
  const called = `${name} ${path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)}`
  const rule = rules.find((one) => one.architecture.test(architecture) && one.called.test(called))
  if (!rule) return unknown
  const { instruction = '', instructed, query, document = '' } = rule
  return {
    name: rule.name,
    pooling: rule.pooling,
    instruction,
    instructed,
    query: query ?? instructed?.(instruction) ?? '',
    document,
  }
}

/** Prefixes of the caller's own, as `{ query: 'query: {text}' }`; `{instruction}` stands for the call's. */
export interface Template {
  query?: string | undefined
  document?: string | undefined
}

/** A family with what the caller's template changes of it. */
export function withTemplate(family: Family, { query, document }: Template): Family {
  const before = (template: string) => template.slice(0, -'{text}'.length)
  const fill = (template: string, instruction: string) =>
    before(template).replaceAll('{instruction}', () => instruction)
  const takes = query?.includes('{instruction}')
  return {
    ...family,
    name: family.name,
    ...(query !== undefined && {
      query: fill(query, family.instruction || defaultInstruction),
      instruction: takes ? family.instruction || defaultInstruction : '',
      instructed: takes ? (instruction: string) => fill(query, instruction) : undefined,
    }),
    ...(document !== undefined && { document: fill(document, '') }),
  }
}
