import { wrongData } from './read/remarks.ts'
import { comparisonSvg, type PlotName } from './report/plots.ts'
import type { Report, System } from './report/report.ts'
import { comparisonText } from './report/text.ts'
import { type Estimate, mean, meanEstimate } from './statistics/bootstrap.ts'
import { differenceOf } from './statistics/resampled.ts'
import { holm, mcNemar, signFlip } from './statistics/tests.ts'

/** Below this many items no test says much. */
export const enough = 30
const significant = 0.05

/** One system beside the first, on the same questions. */
export interface Difference {
  dataset: string
  metric: string
  items: number
  baseline: System
  system: System
  /** Of the system less that of the baseline, with its paired bootstrap interval. */
  difference: Estimate
  /** Two-sided; sign-flip permutation of means, McNemar of accuracy, else from the bootstrap. */
  p: number
  /** After Holm's correction for all comparisons of the report. */
  adjusted: number
  wins: number
  ties: number
  losses: number
  /** Item by item, where the metric is a mean. */
  perItem: number[]
  verdict: 'better' | 'worse' | 'not better' | 'equal' | 'too few to tell'
}

/**
 * Systems of one or several reports beside the first system of the first report, for each data set.
 *
 * @throws Qwen3Error `ERR_DATASET` if reports of one data set judge different questions, or there is only one system.
 */
export function compare(...reports: readonly Report[]): Comparison {
  const differences: Difference[] = []
  for (const group of byDataset(reports).values()) {
    const [baseline, ...others] = group.flatMap((report) =>
      report.systems.map((system) => ({ report, system })),
    )
    for (const other of others) differences.push(between(baseline!, other))
  }
  if (differences.length === 0) {
    throw wrongData(
      'There is one system and nothing to compare it with: give a second report of the same data set',
    )
  }
  const adjusted = holm(differences.map(({ p }) => p))
  for (const [i, one] of differences.entries()) {
    one.adjusted = adjusted[i]!
    one.verdict = verdictOf(one)
  }
  return new Comparison(reports, differences)
}

export class Comparison {
  readonly reports: readonly Report[]
  readonly differences: readonly Difference[]

  constructor(reports: readonly Report[], differences: readonly Difference[]) {
    this.reports = reports
    this.differences = differences
  }

  /** A table and the verdicts in words. `width` bounds its lines. */
  text(options: { colour?: boolean } = {}): string {
    return comparisonText(this, options)
  }

  json(): object {
    return {
      differences: this.differences.map(({ baseline, system, perItem: _, ...rest }) => ({
        ...rest,
        baseline: baseline.label,
        system: system.label,
      })),
    }
  }

  /** A picture as one SVG file without scripts, light or dark as its reader's screen is. */
  svg(plot: PlotName): string {
    return comparisonSvg(this, plot)
  }
}

function byDataset(reports: readonly Report[]): Map<string, Report[]> {
  const groups = new Map<string, Report[]>()
  for (const report of reports) {
    const { name, split, digest, kind } = report.dataset
    const key = `${name} ${split} ${kind}`
    const group = groups.get(key) ?? []
    if (group[0] && group[0].dataset.digest !== digest) {
      throw wrongData(
        `Two reports of ${name} (${split}) judge different questions or judgements: evaluate both on one version`,
        {
          dataset: name,
        },
      )
    }
    groups.set(key, [...group, report])
  }
  return groups
}

interface Placed {
  report: Report
  system: System
}

function between(a: Placed, b: Placed): Difference {
  const { name } = a.report.dataset
  if (a.system.main !== b.system.main) {
    throw wrongData(
      `Two reports of ${name} are judged by ${a.system.main} and ${b.system.main}: choose one metric`,
      { dataset: name },
    )
  }
  const shared = {
    dataset: name,
    metric: a.system.main,
    baseline: a.system,
    system: b.system,
    adjusted: 1,
    verdict: 'equal' as const,
  }
  const [x, y] = [a.system.evidence, b.system.evidence]
  if (x.kind === 'mean' && y.kind === 'mean')
    return { ...shared, ...means(x.values, y.values, a, b) }
  if (x.kind === 'spearman' && y.kind === 'spearman') {
    const difference = differenceOf('spearman', x.predicted, y.predicted, x.gold)
    const isSame = x.predicted.every((value, i) => value === y.predicted[i])
    return { ...shared, ...statistic(difference, x.gold.length, isSame) }
  }
  if (x.kind === 'ap' && y.kind === 'ap') {
    const difference = differenceOf('ap', x.scores, y.scores, x.positive)
    const isSame = x.scores.every((value, i) => value === y.scores[i])
    const found = statistic(difference, x.positive.length, isSame)
    return { ...shared, ...found, ...counted(x.right, y.right) }
  }
  throw wrongData(`Two reports of ${name} are of different kinds`, { dataset: name })
}

function means(x: readonly number[], y: readonly number[], a: Placed, b: Placed) {
  if (x.length !== y.length || a.report.items.some((item, i) => item !== b.report.items[i])) {
    throw wrongData(
      `Two reports of ${a.report.dataset.name} have other items: evaluate both on one version`,
    )
  }
  const perItem = y.map((value, i) => value - x[i]!)
  const isBinary = [...x, ...y].every((value) => value === 0 || value === 1)
  const sides = counted(x, y)
  return {
    items: itemsOf(a, x.length),
    perItem,
    ...sides,
    difference: meanEstimate(perItem),
    p: isBinary ? mcNemar(sides.losses, sides.wins) : signFlip(perItem),
  }
}

/** Ten clusterings of many texts are not ten texts. */
function itemsOf({ report }: Placed, count: number): number {
  return report.dataset.kind === 'clustering' ? (report.dataset.counts.texts ?? count) : count
}

/** A p value from the interval: how wide a normal one must be for 0 to lie at its edge. */
function statistic(difference: Estimate, items: number, isSame: boolean) {
  const spread = (difference.high - difference.low) / (2 * 1.96)
  const p = isSame || spread === 0 ? 1 : twoSided(Math.abs(difference.value) / spread)
  return { items, difference, p, wins: 0, ties: 0, losses: 0, perItem: [] as number[] }
}

function counted(x: readonly number[], y: readonly number[]) {
  const sides = { wins: 0, ties: 0, losses: 0 }
  for (const [i, value] of y.entries())
    sides[value > x[i]! ? 'wins' : value < x[i]! ? 'losses' : 'ties']++
  return sides
}

/** Of a standard normal, by Abramowitz and Stegun 26.2.17: to 1e-7. */
function twoSided(z: number): number {
  const t = 1 / (1 + 0.2316419 * z)
  const sum =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return Math.min(1, (2 * Math.exp((-z * z) / 2) * sum) / Math.sqrt(2 * Math.PI))
}

function verdictOf({ items, difference, adjusted, perItem }: Difference): Difference['verdict'] {
  if (perItem.length > 0 && perItem.every((value) => value === 0)) return 'equal'
  if (difference.value === 0 && difference.low === 0 && difference.high === 0) return 'equal'
  if (items < enough) return 'too few to tell'
  if (adjusted >= significant || (difference.low <= 0 && difference.high >= 0)) return 'not better'
  return difference.value > 0 ? 'better' : 'worse'
}

export function meanOf(system: System): number {
  return system.metrics[system.main]?.value ?? mean(system.values[system.main] ?? [])
}
