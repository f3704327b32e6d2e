// TEI's /rerank: told from Jina's by `texts`.
import type { Call } from './call.ts'
import { readPriority } from './embedding.ts'
import { type Answer, json } from './exchange.ts'
import type { Fields } from './fields.ts'
import { rank } from './ranking.ts'
import { readTruncate } from './tei-fields.ts'
import { checkBatch } from './work.ts'

export async function teiRerank(call: Call, fields: Fields): Promise<Answer> {
  call.dialect = 'tei'
  const served = call.models.reranker(fields.string('model'))
  const query = fields.requiredString('query')
  const texts = fields.strings('texts')
  checkBatch(texts.length, 'texts', call.tally.limits)
  const withText = fields.boolean('return_text') ?? false
  const ranked = await rank(
    served,
    {
      query,
      documents: texts,
      param: 'texts',
      instruction: fields.string('instruction') ?? fields.string('instruct'),
      truncate: readTruncate(fields, call),
      output: fields.boolean('raw_scores') ? 'logit' : 'probability',
      priority: readPriority(fields),
    },
    call.tally,
  )
  return json(
    ranked.map(({ index, score }) => ({
      index,
      score,
      ...(withText ? { text: texts[index] } : {}),
    })),
  )
}
