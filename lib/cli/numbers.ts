// Numbers as people read them.

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export function count(value: number): string {
  return grouped.format(value)
}

export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

const scales = ['B', 'kB', 'MB', 'GB', 'TB']

/** Decimal units, as disks and download pages use. */
export function bytes(value: number): string {
  let scale = 0
  let scaled = value
  while (scaled >= 999.5 && scale + 1 < scales.length) {
    scaled /= 1000
    scale++
  }
  return `${scale === 0 ? scaled : Number(scaled.toPrecision(3))} ${scales[scale]}`
}

/** A model's size in the way its makers say it: 9.4M, 596M, 4.02B. */
export function parameters(value: number): string {
  const [scaled, unit] = value >= 1e9 ? [value / 1e9, 'B'] : [value / 1e6, 'M']
  return `${Number(scaled.toPrecision(3))}${unit}`
}

export function rate(value: number): string {
  return value >= 100 ? count(value) : `${Number(value.toPrecision(3))}`
}

/** 0:07, 12:34, 1:02:03. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  if (parts[0] === 0) parts.shift()
  return parts.map((part, i) => (i === 0 ? `${part}` : `${part}`.padStart(2, '0'))).join(':')
}

/** The value below which a share of them lies; of the sorted values. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

export function milliseconds(value: number): string {
  return value >= 1000 ? `${(value / 1000).toPrecision(3)} s` : `${Number(value.toPrecision(3))} ms`
}
