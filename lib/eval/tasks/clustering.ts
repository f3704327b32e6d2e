import type { ClusteringData } from '../read/dataset.ts'
import { mean, meanEstimate } from '../statistics/bootstrap.ts'
import { compute } from '../vectors/compute.ts'
import { encode } from '../vectors/matrix.ts'
import { type Context, matrixOf, type Result, shortened, type TaskOutcome } from './context.ts'

const rounds = 10
const mostTexts = 16_384

export async function clusterTexts(
  { sets }: ClusteringData,
  context: Context,
): Promise<TaskOutcome> {
  const { prompts, settings, signal, algorithm, onProgress } = context
  const isOne = sets.length === 1
  const vectors = []
  for (const { texts } of sets)
    vectors.push(
      await matrixOf(
        context,
        texts.map((text) => shortened(text, context.maxChars)),
        prompts.query,
      ),
    )
  const results: Result[] = []
  for (const setting of settings) {
    const values: number[] = []
    for (const [i, { labels }] of sets.entries()) {
      onProgress?.({ step: 'arithmetic', done: i, total: sets.length })
      const data = encode(vectors[i]!, setting.dimensions, setting.encoding)
      const work = { kind: 'clusters' as const, data, labels, algorithm }
      // One set is drawn from ten times; of several each is clustered whole, by three seeds.
      const found = await compute(
        isOne
          ? { ...work, rounds, sample: Math.min(mostTexts, data.rows) }
          : { ...work, rounds: 3, sample: 0 },
        signal,
      )
      values.push(...(isOne ? found : [mean(found)]))
    }
    results.push({
      setting,
      isReranked: false,
      main: 'v-measure',
      metrics: { 'v-measure': meanEstimate(values) },
      values: { 'v-measure': values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  const items = isOne
    ? Array.from({ length: rounds }, (_, i) => `drawn ${i + 1}`)
    : sets.map((_, i) => `set ${i + 1}`)
  return {
    items,
    results,
    counts: { sets: sets.length, texts: sets.reduce((sum, { texts }) => sum + texts.length, 0) },
  }
}
