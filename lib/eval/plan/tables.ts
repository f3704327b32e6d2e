// Tables 2 to 5 of the paper (arXiv 2506.05176), as printed: rows are models, the first line names the columns.
import { baselines, unavailable } from './baselines.ts'

const printed: Readonly<Record<string, string>> = {
  2: `model|Mean (Task)|Mean (Type)|Bitext|Class.|Clust.|Inst. Retr.|Multilabel|Pair|Rerank|Retr.|STS
NV-Embed-v2|56.29|49.58|57.84|57.29|40.80|1.04|18.63|78.94|63.82|56.72|71.10
GritLM-7B|60.92|53.74|70.53|61.83|49.75|3.45|22.77|79.94|63.78|58.31|73.33
BGE-M3|59.56|52.18|79.11|60.35|40.88|-3.11|20.1|80.76|62.79|54.60|74.12
multilingual-e5-large-instruct|63.22|55.08|80.13|64.94|50.75|-0.40|22.91|80.86|62.61|57.12|76.81
gte-Qwen2-1.5B-instruct|59.45|52.69|62.51|58.32|52.05|0.74|24.02|81.58|62.58|60.78|71.61
gte-Qwen2-7b-Instruct|62.51|55.93|73.92|61.55|52.77|4.94|25.48|85.13|65.55|60.08|73.98
text-embedding-3-large|58.93|51.41|62.17|60.27|46.89|-2.68|22.03|79.17|63.89|59.27|71.68
Cohere-embed-multilingual-v3.0|61.12|53.23|70.50|62.95|46.89|-1.89|22.74|79.88|64.07|59.16|74.80
Gemini Embedding|68.37|59.59|79.28|71.82|54.59|5.18|29.16|83.63|65.58|67.71|79.40
Qwen3-Embedding-0.6B|64.33|56.00|72.22|66.83|52.33|5.09|24.59|80.83|61.41|64.64|76.17
Qwen3-Embedding-4B|69.45|60.86|79.36|72.33|57.15|11.56|26.77|85.05|65.08|69.60|80.86
Qwen3-Embedding-8B|70.58|61.69|80.89|74.00|57.65|10.06|28.66|86.40|65.63|70.88|81.08`,
  3: `model|Eng v2 Mean (Task)|Eng v2 Mean (Type)|C-MTEB Mean (Task)|C-MTEB Mean (Type)|Code (nDCG@10)
NV-Embed-v2|69.81|65.00|63.0|62.0|-
GritLM-7B|67.07|63.22|-|-|73.6
multilingual-e5-large-instruct|65.53|61.21|-|-|65.0
gte-Qwen2-1.5b-instruct|67.20|63.26|67.12|67.79|-
gte-Qwen2-7b-instruct|70.72|65.77|71.62|72.19|56.41
text-embedding-3-large|66.43|62.15|-|-|58.95
cohere-embed-multilingual-v3.0|66.01|61.43|-|-|51.94
Gemini Embedding|73.30|67.67|-|-|74.66
Qwen3-Embedding-0.6B|70.70|64.88|66.33|67.44|75.41
Qwen3-Embedding-4B|74.60|68.09|72.26|73.50|80.06
Qwen3-Embedding-8B|75.22|68.70|73.83|75.00|80.68`,
  4: `model|MTEB-R|CMTEB-R|MMTEB-R|MLDR|MTEB-Code|FollowIR
Qwen3-Embedding-0.6B|61.82|71.02|64.64|50.26|75.41|5.09
Jina-multilingual-reranker-v2-base|58.22|63.37|63.73|39.66|58.98|-0.68
gte-multilingual-reranker-base|59.51|74.08|59.44|66.33|54.18|-1.64
BGE-reranker-v2-m3|57.03|72.16|58.36|59.51|41.38|-0.01
Qwen3-Reranker-0.6B|65.80|71.31|66.36|67.28|73.42|5.41
Qwen3-Reranker-4B|69.76|75.94|72.74|69.97|81.20|14.84
Qwen3-Reranker-8B|69.02|77.45|72.94|70.19|81.22|8.05`,
  5: `Qwen3-Embedding-0.6B variant|MMTEB|MTEB (Eng, v2)|CMTEB|MTEB (Code, v1)
w/ only synthetic data|58.49|60.63|59.78|66.79
w/o synthetic data|61.21|65.59|63.37|74.58
w/o model merge|62.56|68.18|64.76|74.89
full|64.33|70.70|66.33|75.41`,
}

/** One number of a table, and how to get it here. */
export interface Cell {
  table: number
  model: string
  column: string
  published: number
  /** What gives this number, once weights and data are there; null where nothing can. */
  command: string | null
  /** Why it cannot be had, or what to know about it. */
  note: string
}

/** Every cell of one table, in reading order. */
export function cellsOf(table: number): Cell[] {
  const [head, ...rows] = printed[table]!.split('\n').map((line) => line.split('|'))
  return rows.flatMap(([model, ...values]) =>
    values.flatMap((value, i) => {
      const column = head![i + 1]!
      return value === '-'
        ? []
        : [
            {
              table,
              model: model!,
              column,
              published: Number(value),
              ...reach(table, model!, column),
            },
          ]
    }),
  )
}

/** By column: the suite, and the type of task where only one counts. */
const columns: Readonly<
  Record<number, Readonly<Record<string, readonly [suite: string, type?: string]>>>
> = {
  2: {
    'Mean (Task)': ['MTEB(Multilingual, v2)'],
    'Mean (Type)': ['MTEB(Multilingual, v2)'],
    Bitext: ['MTEB(Multilingual, v2)', 'BitextMining'],
    'Class.': ['MTEB(Multilingual, v2)', 'Classification'],
    'Clust.': ['MTEB(Multilingual, v2)', 'Clustering'],
    'Inst. Retr.': ['MTEB(Multilingual, v2)', 'InstructionReranking'],
    Multilabel: ['MTEB(Multilingual, v2)', 'MultilabelClassification'],
    Pair: ['MTEB(Multilingual, v2)', 'PairClassification'],
    Rerank: ['MTEB(Multilingual, v2)', 'Reranking'],
    'Retr.': ['MTEB(Multilingual, v2)', 'Retrieval'],
    STS: ['MTEB(Multilingual, v2)', 'STS'],
  },
  3: {
    'Eng v2 Mean (Task)': ['MTEB(eng, v2)'],
    'Eng v2 Mean (Type)': ['MTEB(eng, v2)'],
    'C-MTEB Mean (Task)': ['MTEB(cmn, v1)'],
    'C-MTEB Mean (Type)': ['MTEB(cmn, v1)'],
    'Code (nDCG@10)': ['MTEB(Code, v1)'],
  },
  4: {
    'MTEB-R': ['MTEB(eng, v2)', 'Retrieval'],
    'CMTEB-R': ['MTEB(cmn, v1)', 'Retrieval'],
    'MMTEB-R': ['MTEB(Multilingual, v2)', 'Retrieval'],
    MLDR: ['MLDR'],
    'MTEB-Code': ['MTEB(Code, v1)'],
    FollowIR: ['MTEB(Multilingual, v2)', 'InstructionReranking'],
  },
  5: {
    MMTEB: ['MTEB(Multilingual, v2)'],
    'MTEB (Eng, v2)': ['MTEB(eng, v2)'],
    CMTEB: ['MTEB(cmn, v1)'],
    'MTEB (Code, v1)': ['MTEB(Code, v1)'],
  },
}

function reach(table: number, model: string, column: string): Pick<Cell, 'command' | 'note'> {
  const reason = Object.entries(unavailable).find(([name]) => same(name, model))?.[1]
  if (reason !== undefined) return { command: null, note: reason }
  const [suite, type] = columns[table]![column]!
  if (type === 'MultilabelClassification') {
    return {
      command: null,
      note: 'nearest neighbours over several labels: not a kind of task here',
    }
  }
  const found = named(table, model)
  const isReranker = found.kind === 'reranker'
  if (isReranker && column === 'FollowIR') {
    return {
      command: null,
      note: "the published script skips FollowIR's tasks, so how rerankers got this figure is not known",
    }
  }
  const models = isReranker
    ? `-m qwen3-embedding-0.6b --reranker ${found.name} --top 100`
    : `-m ${found.name}`
  const notes = [
    found.note,
    column.startsWith('Mean') && table === 2 ? 'without the five multilabel tasks' : '',
  ]
  return {
    command: `qwen3-embed eval run --suite "${suite}"${type ? ` --type ${type}` : ''} --data ./mteb ${models}`,
    note: notes.filter((note) => note !== '').join('; '),
  }
}

function named(
  table: number,
  model: string,
): { name: string; kind: 'embedder' | 'reranker'; note: string } {
  if (table === 5 || /^Qwen3-/.test(model)) {
    const name = table === 5 ? 'qwen3-embedding-0.6b' : model.toLowerCase()
    return { name, kind: /reranker/i.test(name) ? 'reranker' : 'embedder', note: '' }
  }
  return baselines.find(({ paper }) => same(paper, model))!
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
