// Cohere's /v1/tokenize, /v1/detokenize and /v1/check-api-key.
import { answer, array, count, flag, meta, object, text } from '../answers.ts'
import { type Context, post, type Route } from '../context.ts'
import { type HttpResponse, json } from '../http/messages.ts'
import { body, integer, list, optional, required, string, type Values, wrong } from '../schema.ts'
import { spellingOf } from '../token-offsets.ts'

const model = optional(string, 'Default: the first embedder.')
const tokenizeBody = body('CohereTokenizeRequest', { model, text: required(string) })
const detokenizeBody = body('CohereDetokenizeRequest', {
  model,
  tokens: required(list(integer(0))),
})
const nothing = body('CohereCheckKeyRequest', {})

const v1Meta = { api_version: { version: '1' } }

/** Cohere's tokens are the text's alone, without those that the model puts around it. */
async function tokenize(
  context: Context,
  values: Values<typeof tokenizeBody.fields>,
): Promise<HttpResponse> {
  if (values.text.length > 65_536) wrong('at most 65536 characters', 'text', values.text.length)
  const served = await context.models.embedder(values.model, context.onEnd)
  const { signal, usage } = context
  usage.model = served.name
  usage.texts = 1
  const spelling = spellingOf(served)
  const ids = await served.model.tokenize(values.text, { signal })
  const pieces = (await spelling.pieces(ids, signal)).filter(({ special }) => !special)
  return json({
    tokens: pieces.map(({ id }) => id),
    token_strings: pieces.map((piece) => piece.text),
    meta: v1Meta,
  })
}

async function detokenize(
  context: Context,
  values: Values<typeof detokenizeBody.fields>,
): Promise<HttpResponse> {
  const served = await context.models.embedder(values.model, context.onEnd)
  const { vocabulary } = served.model.info
  const at = values.tokens.findIndex((id) => id >= vocabulary)
  if (at >= 0) wrong(`a token id from 0 to ${vocabulary - 1}`, `tokens[${at}]`, values.tokens[at])
  context.usage.model = served.name
  context.usage.texts = 1
  return json({ text: await served.model.detokenize(values.tokens), meta: v1Meta })
}

export const cohereTokenRoutes: readonly Route[] = [
  post(
    {
      paths: ['/v1/tokenize'],
      id: 'cohereTokenize',
      dialect: 'cohere',
      summary: 'A text to token ids, as Cohere does it',
      answer: answer(
        'CohereTokens',
        object({ tokens: array(count), token_strings: array(text), meta }),
      ),
    },
    tokenizeBody,
    tokenize,
  ),
  post(
    {
      paths: ['/v1/detokenize'],
      id: 'cohereDetokenize',
      dialect: 'cohere',
      summary: 'Token ids to a text, as Cohere does it',
      answer: answer('CohereText', object({ text, meta })),
    },
    detokenizeBody,
    detokenize,
  ),
  post(
    {
      paths: ['/v1/check-api-key'],
      id: 'cohereCheckApiKey',
      dialect: 'cohere',
      summary: 'Whether a key lets in: what Cohere’s clients ask first',
      answer: answer('CohereKey', object({ valid: flag })),
    },
    nothing,
    () => json({ valid: true }),
  ),
]
