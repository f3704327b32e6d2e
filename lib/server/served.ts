// The models of one server by name.
import {
  defaultInstruction,
  type Embedder,
  type Ranges,
  type Reranker,
  unitRanges,
} from '../index.ts'
import type { Settings } from './options.ts'
import { Refusal } from './refusal.ts'

interface Named {
  readonly name: string
  /** Texts computed for requests so far. */
  finished: number
  /** Instructions by name; '' is none. */
  readonly prompts: ReadonlyMap<string, string>
}

export interface ServedEmbedder extends Named {
  readonly kind: 'embedding'
  readonly model: Embedder
  ranges(dimensions: number): Ranges
}

export interface ServedReranker extends Named {
  readonly kind: 'reranking'
  readonly model: Reranker
}

export type Served = ServedEmbedder | ServedReranker

export class ServedModels {
  readonly all: readonly Served[]

  constructor(settings: Settings) {
    this.all = Object.entries(settings.models).map(([name, model]) => serve(name, model, settings))
  }

  embedder(name: string | undefined): ServedEmbedder {
    return this.#find('embedding', name)
  }

  reranker(name: string | undefined): ServedReranker {
    return this.#find('reranking', name)
  }

  get(name: string): Served {
    const served = this.all.find((one) => one.name === name)
    if (served) return served
    const names = this.all.map((one) => one.name).join(', ')
    throw new Refusal(
      'model_not_found',
      `The model ${JSON.stringify(name.slice(0, 200))} does not exist here. There is: ${names}`,
      { param: 'model' },
    )
  }

  #find<Kind extends Served['kind']>(
    kind: Kind,
    name: string | undefined,
  ): Extract<Served, { kind: Kind }> {
    type Wanted = Extract<Served, { kind: Kind }>
    const fitting = this.all.filter((one): one is Wanted => one.kind === kind)
    if (name === undefined) {
      if (fitting[0]) return fitting[0]
      throw new Refusal('model_not_found', `This server has no model for ${kind}`, {
        param: 'model',
      })
    }
    const served = this.get(name)
    if (served.kind === kind) return served as Wanted
    const names = fitting.map((one) => one.name).join(', ') || 'none'
    throw new Refusal(
      'invalid',
      `The model ${JSON.stringify(name)} is for ${served.kind}, not for ${kind}. For ${kind} there is: ${names}`,
      { param: 'model' },
    )
  }
}

function serve(name: string, model: Embedder | Reranker, settings: Settings): Served {
  const query = model.info.architecture === 'qwen3' ? defaultInstruction : ''
  const prompts = new Map(Object.entries({ query, document: '', ...settings.prompts }))
  // Not by class: with require() and import in one program there are two of each.
  if ('scoreEach' in model) return { kind: 'reranking', name, model, prompts, finished: 0 }
  const given = settings.ranges[name]
  const whole = given ?? unitRanges(model.dimensions)
  if (whole.low.length !== model.dimensions || whole.high.length !== model.dimensions) {
    throw new RangeError(
      `Expected the ranges of ${name} to have ${model.dimensions} dimensions but they have ${whole.low.length}`,
    )
  }
  const ranges = (dimensions: number) => {
    if (dimensions === model.dimensions) return whole
    if (!given) return unitRanges(dimensions)
    throw new Refusal(
      'invalid',
      `int8 and uint8 are calibrated for ${model.dimensions} dimensions here, not for ${dimensions}`,
      { param: 'dimensions' },
    )
  }
  return { kind: 'embedding', name, model, prompts, ranges, finished: 0 }
}
