// What /metrics shows: of the requests from here, of the models from their own counts.
import { Counter, Histogram, sample } from './histogram.ts'
import type { Models, Served } from './models.ts'
import type { LogLine } from './request-log.ts'

export class Metrics {
  readonly #requests = new Counter()
  readonly #failures = new Counter()
  readonly #texts = new Counter()
  readonly #cut = new Counter()
  readonly #seconds = new Histogram()
  readonly #queue = new Histogram()
  readonly #search = new Histogram()

  record(line: LogLine): void {
    const { route, status, code, model } = line
    this.#requests.add({ route, status })
    this.#seconds.observe({ route }, line.ms / 1000)
    if (code !== null) this.#failures.add({ route, code })
    if (model === null) return
    this.#texts.add({ model }, line.texts)
    if (line.cut > 0) this.#cut.add({ model }, line.cut)
    if (line.firstPassMs !== null) this.#queue.observe({ model }, line.firstPassMs / 1000)
  }

  /** Milliseconds of one search over an index, by what they were for. */
  recordSearch(took: Readonly<Record<string, number>>): void {
    for (const [stage, ms] of Object.entries(took))
      if (ms > 0) this.#search.observe({ stage }, ms / 1000)
  }

  /** @param index facts of the index that is served, by the name of their gauge */
  text(models: Models, inFlight: number, index: Readonly<Record<string, number>> = {}): string {
    const lines: string[] = []
    const add = (name: string, type: string, help: string, samples: string[]) => {
      const full = `${prefix}${name}`
      lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples)
    }
    for (const [name, help, counter] of [
      ['requests_total', 'Requests answered.', this.#requests],
      ['failures_total', 'Requests refused or failed, by reason.', this.#failures],
      ['texts_total', 'Texts, documents and sentences asked for.', this.#texts],
      ['tokens_cut_total', 'Tokens cut off texts that were too long.', this.#cut],
    ] as const) {
      add(name, 'counter', help, counter.lines(prefix + name))
    }
    for (const [name, help, histogram] of [
      ['request_seconds', 'From a request to its answer.', this.#seconds],
      [
        'first_pass_seconds',
        'From a call into a model to the end of the first pass for it: its wait, and that pass.',
        this.#queue,
      ],
      ['search_seconds', 'Of a search over the index, by its stages.', this.#search],
    ] as const) {
      add(name, 'histogram', help, histogram.lines(prefix + name))
    }
    add('requests_in_flight', 'gauge', 'Requests being answered.', [
      sample(`${prefix}requests_in_flight`, {}, inFlight),
    ])
    for (const [name, help] of indexMetrics) {
      const value = index[name]
      if (value !== undefined) add(name, 'gauge', help, [sample(prefix + name, {}, value)])
    }
    for (const { name, type, help, of } of modelMetrics) {
      const samples = distinct(models.loaded).flatMap((served) =>
        of(served).map(([labels, value]) =>
          sample(prefix + name, { model: served.name, ...labels }, value),
        ),
      )
      add(name, type, help, samples)
    }
    return `${[...lines, ...processLines()].join('\n')}\n`
  }
}

const prefix = 'qwen3_embed_'

const indexMetrics = [
  ['index_files', 'Files that are found.'],
  ['index_unread_files', 'Files that were skipped or failed.'],
  ['index_passages', 'Passages that are found.'],
  ['index_pending', 'Passages that wait for a vector of the main model.'],
  ['index_coverage', 'Share of passages that have one, 0 to 1.'],
  ['index_bytes', 'Of the index file.'],
] as const

interface ModelMetric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  of(served: Served): [labels: Record<string, string>, value: number][]
}

const modelMetrics: readonly ModelMetric[] = [
  {
    name: 'queue_texts',
    type: 'gauge',
    help: 'Texts that wait or run now.',
    of: ({ model }) => [[{}, model.stats.waiting]],
  },
  {
    name: 'tokens_total',
    type: 'counter',
    help: 'Tokens of all texts.',
    of: ({ model }) => [[{}, model.stats.tokens]],
  },
  {
    name: 'tokens_run_total',
    type: 'counter',
    help: 'Tokens that went through the layers: fewer, where texts share prefixes.',
    of: ({ model }) => [[{}, model.stats.tokensRun]],
  },
  {
    name: 'packs_total',
    type: 'counter',
    help: 'Passes run.',
    of: ({ model }) => [[{}, model.stats.packs]],
  },
  {
    name: 'pack_fill_ratio',
    type: 'gauge',
    help: 'How full the passes were, of the tokens that one should hold.',
    of: ({ model }) => [[{}, model.stats.tokensRun / (model.stats.packs * model.info.budget)]],
  },
  {
    name: 'shared_token_ratio',
    type: 'gauge',
    help: 'Share of the tokens that needed no computing, because other texts began alike.',
    of: ({ model }) => [[{}, 1 - model.stats.tokensRun / model.stats.tokens]],
  },
  {
    name: 'process_restarts_total',
    type: 'counter',
    help: 'How often the process of a model died and was started again.',
    of: ({ model }) => ofProcess(model.stats.process?.restarts),
  },
  {
    name: 'process_memory_bytes',
    type: 'gauge',
    help: 'Resident memory of the process of a model; 0 while it is being started.',
    of: ({ model }) => ofProcess(model.stats.process?.memory),
  },
  {
    name: 'pass_seconds_total',
    type: 'counter',
    help: 'Time in passes.',
    of: ({ model }) => {
      const { productsMs, attentionMs, restMs } = model.stats
      return [
        [{ stage: 'products' }, productsMs / 1000],
        [{ stage: 'attention' }, attentionMs / 1000],
        [{ stage: 'rest' }, restMs / 1000],
      ]
    },
  },
]

/** Only of models that have a process of their own. */
function ofProcess(value: number | undefined): [Record<string, string>, number][] {
  return value === undefined ? [] : [[{}, value]]
}

/** A model with several names is counted once, under the first. */
function distinct(all: readonly Served[]): Served[] {
  return all.filter((one, i) => all.findIndex(({ model }) => model === one.model) === i)
}

// Under the names that every Prometheus client library uses.
function processLines(): string[] {
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  const values: [name: string, type: string, value: number][] = [
    ['process_resident_memory_bytes', 'gauge', rss],
    ['nodejs_heap_size_used_bytes', 'gauge', heapUsed],
    ['process_cpu_seconds_total', 'counter', (user + system) / 1e6],
    ['process_start_time_seconds', 'gauge', performance.timeOrigin / 1000],
  ]
  return values.flatMap(([name, type, value]) => [
    `# TYPE ${name} ${type}`,
    sample(name, {}, value),
  ])
}
