// NVIDIA NIM's /v1/ranking. Its embeddings are OpenAI's with `input_type` and `truncate`.
import { answer, array, count, number, object, usage } from '../answers.ts'
import { type Context, post, type Route } from '../context.ts'
import { commonFields } from '../embedding.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { rank } from '../ranking.ts'
import { body, list, optional, record, refused, required, string, type Values } from '../schema.ts'
import { truncate } from './openai.ts'

const passage = body('RankingText', {
  text: required(string),
  image: refused('models here read text. Leave it out.'),
})

const rankingBody = body('RankingRequest', {
  ...commonFields,
  query: required(record(passage)),
  passages: required(list(record(passage), 'batch')),
  truncate: optional(truncate, 'NONE or END. START is refused.'),
  instruction: optional(string, 'What relevant means here, in English.'),
})

async function ranking(
  context: Context,
  values: Values<typeof rankingBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.reranker(values.model, context.onEnd)
  const ranked = await rank(
    served,
    {
      query: values.query.text,
      documents: values.passages.map(({ text }) => text),
      param: 'passages',
      instruction: values.instruction,
      truncate: (values.truncate ?? context.settings.autoTruncate) ? 'end' : 'error',
      output: 'logit',
      priority: values.priority,
    },
    context,
  )
  const { tokens } = context.usage
  return json({
    rankings: ranked.map(({ index, score }) => ({ index, logit: score })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  })
}

export const nimRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v1/ranking'],
      id: 'createRanking',
      dialect: 'openai',
      summary: 'Passages by relevance to a query, as NVIDIA NIM does it',
      answer: answer(
        'Ranking',
        object({ rankings: array(object({ index: count, logit: number })), usage }),
      ),
    },
    rankingBody,
    ranking,
  ),
]
