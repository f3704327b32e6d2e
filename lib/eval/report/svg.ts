// The few marks that our pictures are made of. Colours follow the reader's screen; no script, no font, no link.

/** Lightness and hue that stay apart for the colour-blind, in both schemes. */
const palette = [
  { light: '#2563a8', dark: '#7db7f0' },
  { light: '#b4531a', dark: '#f2a36b' },
  { light: '#2f7d4f', dark: '#79cf9c' },
  { light: '#8a3f8f', dark: '#d79be0' },
  { light: '#7a6a16', dark: '#d9c75c' },
  { light: '#4a5560', dark: '#b3bec9' },
]

export function seriesClass(i: number): string {
  return `s${i % palette.length}`
}

export function page(
  width: number,
  height: number,
  title: string,
  body: readonly string[],
): string {
  const rules = (scheme: 'light' | 'dark') =>
    palette
      .map(
        (colour, i) =>
          `.s${i}{fill:${colour[scheme]};stroke:${colour[scheme]}}text.s${i}{stroke:none}`,
      )
      .join('')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">\n`,
    '<style>',
    'svg{color-scheme:light dark}',
    'text{font:13px system-ui,sans-serif;fill:#20262c}.head{font-size:16px;font-weight:600}.small{font-size:11.5px;fill:#5a646e}',
    '.paper{fill:#fff}.grid{stroke:#e1e5e9}.zero{stroke:#8a949e}.ghost{fill-opacity:.55;stroke:none!important}.line{fill:none!important;stroke-width:2}',
    rules('light'),
    '@media(prefers-color-scheme:dark){text{fill:#e6eaee}.small{fill:#a2adb8}.paper{fill:#15191d}.grid{stroke:#2c343b}.zero{stroke:#707b86}',
    rules('dark'),
    '}</style>\n',
    rect(0, 0, width, height, 'paper'),
    text(24, 32, title, 'head'),
    ...body,
    '</svg>\n',
  ].join('')
}

export function text(
  x: number,
  y: number,
  content: string,
  kind = '',
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text x="${at(x)}" y="${at(y)}"${kind ? ` class="${kind}"` : ''}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped(content)}</text>\n`
}

export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  kind: string,
  width = 1,
): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" class="${kind}" stroke-width="${width}"/>\n`
}

export function rect(x: number, y: number, width: number, height: number, kind: string): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" class="${kind}"/>\n`
}

export function dot(x: number, y: number, kind: string, note: string): string {
  return `<circle cx="${at(x)}" cy="${at(y)}" r="4.5" class="${kind}"><title>${escaped(note)}</title></circle>\n`
}

export function path(points: readonly (readonly [number, number])[], kind: string): string {
  return `<polyline points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}" class="${kind} line"/>\n`
}

/** Round numbers from at most `low` to at least `high`, about five of them. */
export function ticks(low: number, high: number): number[] {
  const rough = (high - low || 1) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10)
  const first = Math.floor(low / step)
  const last = Math.ceil(high / step)
  return Array.from({ length: Math.max(2, last - first + 1) }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  )
}

export interface Scale {
  (value: number): number
  marks: number[]
}

/** From the values' range to pixels. */
export function scale(values: readonly number[], from: number, to: number): Scale {
  const marks = ticks(Math.min(...values), Math.max(...values))
  const [low, high] = [marks[0]!, marks.at(-1)!]
  return Object.assign((value: number) => from + ((value - low) / (high - low)) * (to - from), {
    marks,
  })
}

function at(value: number): string {
  return `${Number(value.toFixed(2))}`
}

function escaped(content: string): string {
  return (
    content
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no way to write them
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, '\uFFFD')
  )
}
