// Qwen3's templates, to the byte. The only file with "<|im_start|>" in it.
// Source: QwenLM/Qwen3-Embedding README and examples/qwen3_reranker_transformers.py.

/** What Qwen's models were given most often in training, for queries and reranking alike. */
export const defaultInstruction =
  'Given a web search query, retrieve relevant passages that answer the query'

/** What stands before a query; there is no space after `Query:`. An empty instruction means no prefix at all. */
export function queryPrefix(instruction: string): string {
  return instruction.trim() === '' ? '' : `Instruct: ${instruction}\nQuery:`
}

/** Around each pair. The empty thinking block is part of it: the answer is read after it. */
export const pairPrefix =
  '<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. ' +
  'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
export const pairSuffix = '<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n'

/**
 * The pair itself, in two segments: only the second may be cut. The seam is a place where Qwen's pre-tokenizer
 * always splits (`:` before a space), so the ids are those of the whole.
 */
export function pairHead(instruction: string, query: string): string {
  return `<Instruct>: ${instruction}\n<Query>: ${query}\n<Document>:`
}
export function pairBody(document: string): string {
  return ` ${document}`
}
