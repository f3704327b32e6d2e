import type { Comparison } from '../compare.ts'
import { misuse } from '../../errors.ts'
import type { Report, System } from './report.ts'
import { dot, line, page, path, rect, scale, seriesClass, text } from './svg.ts'

export const plotNames = ['intervals', 'dimensions', 'difference', 'scores'] as const
export type PlotName = (typeof plotNames)[number]

const width = 760
const left = 260
const right = width - 40

/** A picture of one report; `difference` needs two systems and {@link compare}. */
export function reportSvg(report: Report, plot: Exclude<PlotName, 'difference'>): string {
  const reports = [report]
  if (plot === 'intervals') return intervals(reports)
  if (plot === 'dimensions') return dimensions(reports)
  if (plot === 'scores') return scores(reports)
  throw misuse(RangeError, 'intervals, dimensions or scores', 'plot', plot)
}

export function comparisonSvg(comparison: Comparison, plot: PlotName): string {
  if (plot === 'difference') return difference(comparison)
  if (plot === 'intervals') return intervals(comparison.reports)
  if (plot === 'dimensions') return dimensions(comparison.reports)
  if (plot === 'scores') return scores(comparison.reports)
  throw misuse(RangeError, plotNames.join(', '), 'plot', plot)
}

/** Which pictures there is something to draw for. */
export function plotsOf(reports: readonly Report[]): Exclude<PlotName, 'difference'>[] {
  const systems = reports.flatMap((report) => report.systems)
  return [
    'intervals' as const,
    ...(new Set(systems.map((system) => system.dimensions)).size > 1
      ? (['dimensions'] as const)
      : []),
    ...(systems.some(({ histogram }) => histogram) ? (['scores'] as const) : []),
  ]
}

/** A dot and its 95% interval for each data set and system. */
function intervals(reports: readonly Report[]): string {
  const rows = reports.flatMap(({ dataset, systems }) =>
    systems.map((system) => ({
      dataset: dataset.name,
      label: system.label,
      metric: system.main,
      ...system.metrics[system.main]!,
    })),
  )
  const x = scale(
    rows.flatMap(({ low, high, value }) => [low, high, value]),
    left,
    right,
  )
  const bottom = 64 + rows.length * 34
  const labels = [...new Set(rows.map(({ label }) => label))]
  const body = grid(x.marks, x, 52, bottom)
  for (const [i, { dataset, label, metric, value, low, high }] of rows.entries()) {
    const y = 76 + i * 34
    const kind = seriesClass(labels.indexOf(label))
    body.push(text(24, y, clipped(label, 34)), text(24, y + 14, `${dataset}, ${metric}`, 'small'))
    body.push(
      line(x(low), y - 1, x(high), y - 1, kind, 2),
      dot(x(value), y - 1, kind, `${value.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`),
    )
    body.push(text(Math.min(x(high) + 10, right + 2), y + 4, value.toFixed(3), 'small'))
  }
  return page(
    width,
    bottom + 48,
    `${unique(rows.map(({ metric }) => metric))} with 95% intervals`,
    body,
  )
}

/** The main metric by the number of dimensions, a line for each model and encoding. */
function dimensions(reports: readonly Report[]): string {
  const series = new Map<string, { system: System; dataset: string }[]>()
  for (const { dataset, systems } of reports) {
    for (const system of systems) {
      const name = [
        dataset.name,
        system.model.name,
        system.adapter,
        system.encoding === 'float32' ? '' : system.encoding,
        system.reranker?.name,
      ]
        .filter(Boolean)
        .join(' · ')
      series.set(name, [...(series.get(name) ?? []), { system, dataset: dataset.name }])
    }
  }
  const all = [...series.values()].flat().map(({ system }) => system)
  const widths = [...new Set(all.map((system) => system.dimensions))].sort((a, b) => a - b)
  const bottom = 380
  const from = 70
  const estimates = all.map((system) => system.metrics[system.main]!)
  const y = scale(
    estimates.flatMap(({ low, high }) => [low, high]),
    bottom,
    60,
  )
  const x = (value: number) =>
    from + 30 + (widths.indexOf(value) / Math.max(1, widths.length - 1)) * (right - from - 60)
  const body = y.marks.map(
    (mark) =>
      line(from, y(mark), right, y(mark), 'grid') +
      text(from - 8, y(mark) + 4, `${mark}`, 'small', 'end'),
  )
  for (const value of widths) body.push(text(x(value), bottom + 20, `${value}`, 'small', 'middle'))
  body.push(text((from + right) / 2, bottom + 40, 'dimensions', 'small', 'middle'))
  for (const [i, [name, members]] of [...series].entries()) {
    const kind = seriesClass(i)
    const sorted = members.map(({ system }) => system).sort((a, b) => a.dimensions - b.dimensions)
    body.push(
      path(
        sorted.map((system) => [x(system.dimensions), y(system.metrics[system.main]!.value)]),
        kind,
      ),
    )
    for (const system of sorted) {
      const { value, low, high } = system.metrics[system.main]!
      body.push(
        line(x(system.dimensions), y(low), x(system.dimensions), y(high), kind),
        dot(x(system.dimensions), y(value), kind, value.toFixed(4)),
      )
    }
    body.push(
      rect(from, bottom + 58 + i * 20, 10, 10, kind),
      text(from + 18, bottom + 68 + i * 20, name, 'small'),
    )
  }
  return page(
    width,
    bottom + 76 + series.size * 20,
    `${unique(all.map(({ main }) => main))} by dimensions`,
    body,
  )
}

/** Each item's difference, sorted: how many won, how many lost, by how much. */
function difference({ differences }: Comparison): string {
  const shown = differences.filter(({ perItem }) => perItem.length > 0)
  if (shown.length === 0)
    throw new RangeError(
      'Expected a metric that is a mean over items: this one has no difference item by item',
    )
  const each = 210
  const from = 70
  const body = shown.flatMap((one, i) => {
    const top = 70 + i * each
    const bottom = top + 130
    const sorted = [...one.perItem].sort((a, b) => b - a)
    const most = Math.max(...sorted.map(Math.abs), 1e-9)
    const y = scale([-most, most], bottom, top)
    const step = (right - from) / sorted.length
    const marks = y.marks.map(
      (mark) =>
        line(from, y(mark), right, y(mark), mark === 0 ? 'zero' : 'grid') +
        text(from - 8, y(mark) + 4, `${mark}`, 'small', 'end'),
    )
    const bars = sorted.map((value, n) =>
      value === 0
        ? ''
        : rect(
            from + n * step,
            Math.min(y(0), y(value)),
            Math.max(0.5, step * 0.85),
            Math.abs(y(value) - y(0)),
            `${seriesClass(value > 0 ? 0 : 1)} ghost`,
          ),
    )
    const { low, high, value } = one.difference
    const note = `${one.wins} better, ${one.ties} equal, ${one.losses} worse; mean ${value.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}], p ${one.adjusted.toFixed(4)}: ${one.verdict}`
    return [
      text(
        24,
        top - 14,
        clipped(`${one.dataset}: ${one.system.label} less ${one.baseline.label}`, 90),
      ),
      ...marks,
      ...bars,
      text(from, bottom + 22, note, 'small'),
    ]
  })
  return page(
    width,
    60 + shown.length * each,
    `${unique(shown.map(({ metric }) => metric))}, item by item`,
    body,
  )
}

/** Where scores of what is right and of what is wrong lie, each as a share of its kind. */
function scores(reports: readonly Report[]): string {
  const shown = reports.flatMap(({ dataset, systems }) =>
    systems.flatMap(({ label, histogram }) =>
      histogram ? [{ title: `${dataset.name}: ${label}`, histogram }] : [],
    ),
  )
  if (shown.length === 0)
    throw new RangeError(
      'Expected a report with scores of right and wrong answers: this kind of data has none',
    )
  const each = 180
  const from = 70
  const body = shown.flatMap(({ title, histogram }, i) => {
    const { low, high, positive, negative, threshold } = histogram
    const top = 76 + i * each
    const bottom = top + 110
    const share = (counts: readonly number[]) => {
      const total = counts.reduce((a, b) => a + b, 0)
      return counts.map((count) => count / Math.max(1, total))
    }
    const [good, bad] = [share(positive), share(negative)]
    const highest = Math.max(...good, ...bad)
    const step = (right - from) / positive.length
    const x = (value: number) => from + ((value - low) / (high - low)) * (right - from)
    const bars = [bad, good].flatMap((shares, kind) =>
      shares.map((value, n) =>
        value === 0
          ? ''
          : rect(
              from + n * step,
              bottom - (value / highest) * 100,
              step - 1,
              (value / highest) * 100,
              `${seriesClass(kind === 0 ? 1 : 0)} ghost`,
            ),
      ),
    )
    return [
      text(24, top - 14, clipped(title, 80)),
      line(from, bottom, right, bottom, 'zero'),
      ...bars,
      line(x(threshold), top, x(threshold), bottom, 'zero', 1.5),
      text(x(threshold) + 5, top + 8, `best F1 at ${threshold.toFixed(3)}`, 'small'),
      text(from, bottom + 18, low.toFixed(2), 'small'),
      text(right, bottom + 18, high.toFixed(2), 'small', 'end'),
      rect(from + 200, bottom + 9, 10, 10, seriesClass(0)),
      text(from + 216, bottom + 18, 'right', 'small'),
      rect(from + 270, bottom + 9, 10, 10, seriesClass(1)),
      text(from + 286, bottom + 18, 'not right', 'small'),
    ]
  })
  return page(width, 40 + shown.length * each, 'Scores of right and of other answers', body)
}

function grid(
  marks: readonly number[],
  x: (value: number) => number,
  top: number,
  bottom: number,
): string[] {
  return marks.map(
    (mark) =>
      line(x(mark), top, x(mark), bottom, 'grid') +
      text(x(mark), bottom + 18, `${mark}`, 'small', 'middle'),
  )
}

function unique(names: readonly string[]): string {
  return [...new Set(names)].join(', ')
}

function clipped(label: string, length: number): string {
  return label.length <= length ? label : `${label.slice(0, length - 1)}…`
}
