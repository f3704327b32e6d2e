// TEI's /tokenize and /decode.
import type { Call, Route } from './call.ts'
import { type Answer, json } from './exchange.ts'
import { type Fields, wrong } from './fields.ts'
import { Spelling } from './pieces.ts'
import { readInstruction } from './purpose.ts'
import { Refusal } from './refusal.ts'
import type { ServedEmbedder } from './served.ts'
import { checkBatch, failureOf } from './work.ts'

/** Characters of all texts, or ids, of one request: pieces are made one by one. */
const maxSize = 1 << 17

const spellings = new WeakMap<object, Spelling>()

function spellingOf({ model }: ServedEmbedder): Spelling {
  const spelling = spellings.get(model) ?? new Spelling(model)
  spellings.set(model, spelling)
  return spelling
}

async function tokenize(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const given = fields.required('inputs')
  const texts = typeof given === 'string' ? [given] : fields.strings('inputs')
  checkBatch(texts.length, 'inputs', call.tally.limits)
  checkSize(
    texts.reduce((sum, { length }) => sum + length, 0),
    'inputs',
  )
  const instruction = readInstruction(fields, served)
  const withSpecial = fields.boolean('add_special_tokens') ?? true
  const { signal } = call.tally
  const spelling = spellingOf(served)
  call.tally.model = served.name
  call.tally.texts = texts.length
  try {
    const lists = []
    for (const text of texts) {
      const ids = await served.model.tokenize(text, { instruction, signal })
      const pieces = await spelling.pieces(ids, signal)
      lists.push(withSpecial ? pieces : pieces.filter(({ special }) => !special))
    }
    return json(lists)
  } catch (error) {
    throw failureOf(error, served, call.tally, 'inputs')
  }
}

async function decode(call: Call, fields: Fields): Promise<Answer> {
  const served = call.models.embedder(fields.string('model'))
  const given = fields.list('ids')
  const lists = Array.isArray(given[0]) ? given : [given]
  checkBatch(lists.length, 'ids', call.tally.limits)
  const { vocabulary } = served.model.info
  const checked = lists.map((list, i) => {
    if (!Array.isArray(list)) return wrong('an array of token ids', `ids[${i}]`, list)
    for (const id of list) {
      if (Number.isInteger(id) && id >= 0 && id < vocabulary) continue
      wrong(`a token id from 0 to ${vocabulary - 1}`, `ids[${i}]`, id)
    }
    return list as number[]
  })
  checkSize(
    checked.reduce((sum, { length }) => sum + length, 0),
    'ids',
  )
  const skips = fields.boolean('skip_special_tokens') ?? true
  const spelling = spellingOf(served)
  call.tally.model = served.name
  call.tally.texts = lists.length
  try {
    const texts = []
    for (const ids of checked) {
      const special = skips ? await specialOf(ids, spelling) : new Set()
      texts.push(await served.model.detokenize(ids.filter((id) => !special.has(id))))
    }
    return json(texts)
  } catch (error) {
    throw failureOf(error, served, call.tally, 'ids')
  }
}

async function specialOf(ids: readonly number[], spelling: Spelling): Promise<Set<number>> {
  const distinct = [...new Set(ids)]
  const are = await Promise.all(distinct.map((id) => spelling.isSpecial(id)))
  return new Set(distinct.filter((_, i) => are[i]))
}

function checkSize(size: number, param: string): void {
  if (size <= maxSize) return
  throw new Refusal(
    'too_many_tokens',
    `Expected at most ${maxSize} characters or ids but received ${size}`,
    {
      param,
    },
  )
}

export const teiTokenRoutes: readonly Route[] = [
  {
    method: 'POST',
    paths: ['/tokenize'],
    dialect: 'tei',
    summary: 'Texts to tokens with their places',
    run: tokenize,
  },
  {
    method: 'POST',
    paths: ['/decode'],
    dialect: 'tei',
    summary: 'Token ids to texts',
    run: decode,
  },
]
