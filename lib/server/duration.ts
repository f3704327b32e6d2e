// Times as people write them: 10m, 1h30m, 45s; a number alone is seconds.

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds; undefined for what is no time. Negative ones are forever, as Ollama has it. */
export function durationOf(given: string): number | undefined {
  if (/^-\d/.test(given)) return Number.POSITIVE_INFINITY
  if (/^\d+(\.\d+)?$/.test(given)) return Number(given) * 1000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(given)) return undefined
  const parts = given.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)
  const times = Array.from(parts, ([, amount, unit]) => Number(amount) * units[unit!]!)
  return times.reduce((sum, one) => sum + one, 0)
}
