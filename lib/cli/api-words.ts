// The API speaks of its options in its messages; on a command line they have other names.
const replacements: readonly (readonly [RegExp, string])[] = [
  [/pass truncate: '(\w+)'/g, 'use --truncate $1'],
  [/Load it with engine: '(\w+)'/g, 'Use --engine $1'],
  [/gpu: '(\w+)'/g, '--gpu $1'],
  [/load (?:the model )?with gpu: false/gi, 'leave out --gpu'],
  [/the option maxTokens|\bmaxTokens\b/g, '--max-tokens'],
  [/with the option (split)/g, 'with --$1'],
  [/name its folder with from/g, 'name its folder with --from'],
  [/the option (\w+)/g, '--$1'],
  [/Load it with Embedder\.load/g, 'Use it with search or embed'],
  [/Load it with Reranker\.load/g, 'Use it with rerank'],
]

export function inShellWords(message: string): string {
  return replacements.reduce((text, [from, to]) => text.replace(from, to), message)
}
