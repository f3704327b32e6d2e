// vLLM's score routes: pairs of texts, in their order.
import { answer, array, count, number, object, text, usage } from '../answers.ts'
import { type Context, post, type Route } from '../context.ts'
import { commonFields } from '../embedding.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { scorePairs } from '../ranking.ts'
import {
  body,
  either,
  harmless,
  isList,
  isString,
  list,
  optional,
  refused,
  required,
  string,
  type Values,
  wrong,
} from '../schema.ts'
import { truncatePromptTokens } from './openai.ts'

const oneOrMany = either(
  'a string or a list of strings',
  [isString, string],
  [isList, list(string, 'batch')],
)

const scoreBody = body('ScoreRequest', {
  ...commonFields,
  text_1: required(oneOrMany, 'A query, or as many as there are documents.'),
  text_2: required(oneOrMany, 'Documents.'),
  instruction: optional(string, 'What relevant means here, in English.'),
  truncate_prompt_tokens: optional(truncatePromptTokens, '-1 cuts at what the model takes.'),
  encoding_format: refused('scores are numbers. Leave it out.', 'float'),
  request_id: harmless('send the header X-Request-Id.'),
  user: harmless('names an end user.'),
  activation: refused('scores are probabilities. Leave it out.', true),
  use_activation: refused('scores are probabilities. Leave it out.', true),
})

async function score(
  context: Context,
  values: Values<typeof scoreBody.fields>,
): Promise<HttpResponse> {
  const [left, right] = [values.text_1, values.text_2].map((one) => [one].flat())
  if (left!.length !== 1 && left!.length !== right!.length) {
    wrong(`one text, or ${right!.length} as in text_2,`, 'text_1', left)
  }
  const pairs = right!.map((document, i) => [left![left!.length === 1 ? 0 : i]!, document] as const)
  const served = await context.models.reranker(values.model, context.onEnd)
  const cuts = values.truncate_prompt_tokens ?? context.settings.autoTruncate
  const { instruction, priority } = values
  const how = { instruction, priority, param: 'text_2', truncate: cuts ? 'end' : 'error' } as const
  const scores = await scorePairs(served, pairs, how, context)
  const { tokens } = context.usage
  return json({
    id: context.id,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model: served.name,
    data: scores.map((one, index) => ({ index, object: 'score', score: one })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  })
}

export const vllmRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v1/score', '/score'],
      id: 'score',
      dialect: 'openai',
      summary: 'Scores of pairs of texts, as vLLM does it',
      answer: answer(
        'ScoreList',
        object({
          id: text,
          object: { const: 'list' },
          created: count,
          model: text,
          data: array(object({ index: count, object: { const: 'score' }, score: number })),
          usage,
        }),
      ),
    },
    scoreBody,
    score,
  ),
]
