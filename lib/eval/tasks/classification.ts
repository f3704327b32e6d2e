import { accuracy, f1 } from '../metrics/classes.ts'
import type { ClassificationData } from '../read/dataset.ts'
import { mean, meanEstimate } from '../statistics/bootstrap.ts'
import { compute } from '../vectors/compute.ts'
import { encode, normalised } from '../vectors/matrix.ts'
import { type Context, matrixOf, type Result, shortened, type TaskOutcome } from './context.ts'

export async function classify(
  { train, test, classes }: ClassificationData,
  context: Context,
): Promise<TaskOutcome> {
  const { prompts, settings, signal, onProgress } = context
  const [learned, judged] = await Promise.all(
    [train, test].map(({ texts }) =>
      matrixOf(
        context,
        texts.map((text) => shortened(text, context.maxChars)),
        prompts.query,
      ),
    ),
  )
  const results: Result[] = []
  for (const [done, setting] of settings.entries()) {
    const { dimensions, encoding } = setting
    onProgress?.({ step: 'arithmetic', done, total: settings.length })
    const predicted = await compute(
      {
        kind: 'classes',
        train: normalised(encode(learned!, dimensions, encoding)),
        labels: train.labels,
        classes: classes.length,
        test: normalised(encode(judged!, dimensions, encoding)),
      },
      signal,
    )
    // Of each text, in how many of the experiments it was put right.
    const values = test.labels.map((label, i) =>
      mean(predicted.map((one) => Number(one[i] === label))),
    )
    const scores = predicted.map((one) => f1(test.labels, one, 'macro'))
    const macro = mean(scores)
    results.push({
      setting,
      isReranked: false,
      main: 'accuracy',
      metrics: {
        accuracy: {
          ...meanEstimate(values),
          value: mean(predicted.map((one) => accuracy(test.labels, one))),
        },
        'macro-f1': { value: macro, low: Math.min(...scores), high: Math.max(...scores) },
      },
      values: { accuracy: values },
      evidence: { kind: 'mean', values },
      histogram: null,
    })
  }
  const counts = {
    classes: classes.length,
    trainingTexts: train.texts.length,
    texts: test.texts.length,
  }
  return { items: test.texts.map((_, i) => `${i + 1}`), results, counts }
}
