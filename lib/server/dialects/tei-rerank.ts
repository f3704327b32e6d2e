// TEI's /rerank: told from Jina's by `texts`.
import type { Context } from '../context.ts'
import { commonFields } from '../embedding.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { rank } from '../ranking.ts'
import { body, boolean, list, optional, required, string, type Values } from '../schema.ts'
import { teiFields, truncateOf } from './tei-fields.ts'

export const teiRerankBody = body('TeiRerankRequest', {
  ...commonFields,
  ...teiFields,
  query: required(string),
  texts: required(list(string, 'batch')),
  raw_scores: optional(boolean, 'Logit differences in place of probabilities.'),
  return_text: optional(boolean),
  instruction: optional(string, 'What relevant means here, in English.'),
  instruct: optional(string, 'The same as instruction.'),
})

export async function teiRerank(
  context: Context,
  values: Values<typeof teiRerankBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.reranker(values.model, context.onEnd)
  const { texts } = values
  const ranked = await rank(
    served,
    {
      query: values.query,
      documents: texts,
      param: 'texts',
      instruction: values.instruction ?? values.instruct,
      truncate: truncateOf(values, context),
      output: values.raw_scores ? 'logit' : 'probability',
      priority: values.priority,
    },
    context,
  )
  return json(
    ranked.map(({ index, score }) => ({
      index,
      score,
      ...(values.return_text ? { text: texts[index] } : {}),
    })),
  )
}
