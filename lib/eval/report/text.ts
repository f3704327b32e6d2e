import type { Comparison, Difference } from '../compare.ts'
import type { Remark } from '../read/remarks.ts'
import type { Report } from './report.ts'

export interface TextOptions {
  /** Escape sequences for bold. */
  colour?: boolean
}

const barWidth = 16

/** What a report says, for a terminal: a line for each system, and what was odd about the data. */
export function reportText(
  { dataset, systems, remarks }: Report,
  { colour = false }: TextOptions = {},
): string {
  const { name, split, kind, task, counts } = dataset
  const facts = Object.entries(counts).map(
    ([what, count]) => `${count.toLocaleString('en-US')} ${spaced(what)}`,
  )
  const main = systems[0]!.main
  const others = [...new Set(systems.flatMap(({ metrics }) => Object.keys(metrics)))].filter(
    (metric) => metric !== main,
  )
  const head = [
    'SYSTEM',
    main.toUpperCase(),
    '',
    '95%',
    ...others.map((metric) => metric.toUpperCase()),
  ]
  const rows = systems.map(({ label, metrics }) => [
    label,
    figure(metrics[main]!.value),
    bar(metrics[main]!.value),
    interval(metrics[main]!),
    ...others.map((metric) => (metrics[metric] ? figure(metrics[metric]!.value) : '')),
  ])
  const right = [1, ...others.map((_, i) => i + 4)]
  return [
    `${bold(`${name} (${split})`, colour)}  ${kind}${task ? `, ${task}` : ''}: ${facts.join(', ')}\n\n`,
    columns([head.map((title) => bold(title, colour)), ...rows], right),
    ...(dataset.kind === 'clustering'
      ? ['\nk-means draws at random: the interval is that of its runs.\n']
      : []),
    remarksText(remarks),
  ].join('')
}

export function comparisonText(
  comparison: Comparison,
  { colour = false }: TextOptions = {},
): string {
  const { differences } = comparison
  const head = [
    'DATA',
    'SYSTEM',
    'METRIC',
    'VALUE',
    'DIFFERENCE',
    '95%',
    'P',
    'P (HOLM)',
    'W/T/L',
    'VERDICT',
  ]
  const rows = differences.flatMap((one, i) => {
    const {
      dataset,
      baseline,
      system,
      metric,
      difference,
      p,
      adjusted,
      wins,
      ties,
      losses,
      verdict,
    } = one
    const isFirst = differences[i - 1]?.dataset !== dataset
    const base = [
      dataset,
      baseline.label,
      metric,
      figure(mainValue(baseline)),
      '',
      '',
      '',
      '',
      '',
      'compared with',
    ]
    const row = [
      dataset,
      system.label,
      metric,
      figure(mainValue(system)),
      signed(difference.value),
      `${signed(difference.low)} to ${signed(difference.high)}`,
      probability(p),
      probability(adjusted),
      wins + ties + losses > 0 ? `${wins}/${ties}/${losses}` : '',
      verdict === 'better' ? bold(verdict, colour) : verdict,
    ]
    return isFirst ? [base, row] : [row]
  })
  const sentences = differences.map((one) => `${sentence(one)}\n`)
  return `${columns([head.map((title) => bold(title, colour)), ...rows], [3, 4, 6, 7])}\n${sentences.join('')}`
}

function sentence({ dataset, system, baseline, items, verdict, difference }: Difference): string {
  const who = `On ${dataset} ${system.label}`
  const by = `${signed(difference.value)} [${signed(difference.low)}, ${signed(difference.high)}]`
  switch (verdict) {
    case 'equal':
      return `${who} answers as ${baseline.label} does: no difference at all.`
    case 'too few to tell':
      return `${who} differs from ${baseline.label} by ${by}, but ${items} items are too few to tell; 30 are the least.`
    case 'not better':
      return `${who} is not better than ${baseline.label}, nor worse, as far as ${items} items can tell: ${by}.`
    default:
      return `${who} is ${verdict} than ${baseline.label}, significantly: ${by} on ${items} items.`
  }
}

export function remarksText(remarks: readonly Remark[]): string {
  if (remarks.length === 0) return ''
  return `\n${remarks.map(({ count, message, example }) => `note: ${message}: ${count.toLocaleString('en-US')} (first: ${example})\n`).join('')}`
}

export function columns(rows: readonly (readonly string[])[], right: readonly number[]): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: bold takes no room
  const width = (cell: string) => Array.from(cell.replace(/\x1b\[\d+m/g, '')).length
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => width(row[i] ?? ''))))
  return rows
    .map((row) => {
      const cells = row.map((cell, i) => {
        const gap = ' '.repeat(widths[i]! - width(cell))
        return right.includes(i) ? gap + cell : cell + gap
      })
      return `${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}

function mainValue({ main, metrics }: Difference['system']): number {
  return metrics[main]!.value
}

export function figure(value: number): string {
  return value.toFixed(4)
}

function interval({ low, high }: { low: number; high: number }): string {
  return low === high ? '' : `${low.toFixed(3)} to ${high.toFixed(3)}`
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
}

function probability(p: number): string {
  return p < 0.0001 ? '<.0001' : p.toFixed(4)
}

/** In eighths of a cell. */
function bar(value: number): string {
  const eighths = Math.round(Math.min(Math.max(value, 0), 1) * barWidth * 8)
  const rest = eighths % 8
  return '█'.repeat((eighths - rest) / 8) + (rest > 0 ? ' ▏▎▍▌▋▊▉'[rest] : '')
}

function bold(text: string, colour: boolean): string {
  return colour ? `\x1b[1m${text}\x1b[0m` : text
}

function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
