// The other models of the paper's tables: those that llama.cpp runs, with their own words before queries, and those
// that it does not, with the reason.
export interface Baseline {
  name: string
  kind: 'embedder' | 'reranker'
  architecture: string
  /** A GGUF conversion on the Hugging Face hub, `owner/repository:quantisation`. */
  source: string
  pooling: 'last' | 'mean' | 'cls' | 'rank'
  /** Before each query; `{instruction}` stands for the task's. */
  query: string
  document: string
  /** As the paper's tables write it. */
  paper: string
  note: string
}

export const baselines: readonly Baseline[] = [
  {
    name: 'bge-m3',
    kind: 'embedder',
    architecture: 'bert',
    source: 'gpustack/bge-m3-GGUF:Q8_0',
    pooling: 'cls',
    query: '',
    document: '',
    paper: 'BGE-M3',
    note: 'dense vectors only; no instruction',
  },
  {
    name: 'multilingual-e5-large-instruct',
    kind: 'embedder',
    architecture: 'bert',
    source: 'KeyurRamoliya/multilingual-e5-large-instruct-GGUF:Q8_0',
    pooling: 'mean',
    query: 'Instruct: {instruction}\nQuery: ',
    document: '',
    paper: 'multilingual-e5-large-instruct',
    note: 'at most 512 tokens',
  },
  {
    name: 'gte-qwen2-1.5b-instruct',
    kind: 'embedder',
    architecture: 'qwen2',
    source: 'second-state/gte-Qwen2-1.5B-instruct-GGUF:Q8_0',
    pooling: 'last',
    query: 'Instruct: {instruction}\nQuery: ',
    document: '',
    paper: 'gte-Qwen2-1.5B-instruct',
    note: "the original attends both ways; llama.cpp's qwen2 attends backwards, so its figures lie below the published ones",
  },
  {
    name: 'gte-qwen2-7b-instruct',
    kind: 'embedder',
    architecture: 'qwen2',
    source: 'mav23/gte-Qwen2-7B-instruct-GGUF:Q8_0',
    pooling: 'last',
    query: 'Instruct: {instruction}\nQuery: ',
    document: '',
    paper: 'gte-Qwen2-7B-instruct',
    note: "the original attends both ways; llama.cpp's qwen2 attends backwards, so its figures lie below the published ones",
  },
  {
    name: 'jina-reranker-v2',
    kind: 'reranker',
    architecture: 'bert',
    source: 'gpustack/jina-reranker-v2-base-multilingual-GGUF:Q8_0',
    pooling: 'rank',
    query: '',
    document: '',
    paper: 'Jina-multilingual-reranker-v2-base',
    note: 'at most 1,024 tokens; licence CC BY-NC 4.0',
  },
  {
    name: 'bge-reranker-v2-m3',
    kind: 'reranker',
    architecture: 'bert',
    source: 'gpustack/bge-reranker-v2-m3-GGUF:Q8_0',
    pooling: 'rank',
    query: '',
    document: '',
    paper: 'BGE-reranker-v2-m3',
    note: 'at most 8,192 tokens',
  },
]

/** Rows of the tables that cannot be run here. */
export const unavailable: Readonly<Record<string, string>> = {
  'gte-multilingual-reranker-base':
    'architecture "new" (NewForSequenceClassification), which llama.cpp lacks',
  'NV-Embed-v2': 'latent attention pooling, which llama.cpp lacks; licence CC BY-NC 4.0',
  'GritLM-7B': 'attends both ways for embedding, which llama.cpp does not do for this architecture',
  'text-embedding-3-large': 'an API; its weights are not published',
  'Cohere-embed-multilingual-v3.0': 'an API; its weights are not published',
  'Gemini Embedding': 'an API; its weights are not published',
  'w/ only synthetic data': 'weights are not published',
  'w/o synthetic data': 'weights are not published',
  'w/o model merge': 'weights are not published',
}

export function baselineOf(name: string): Baseline | undefined {
  return baselines.find((one) => one.name === name.toLowerCase())
}

export function promptOf(template: string, instruction: string): string {
  return template.replace('{instruction}', instruction)
}
