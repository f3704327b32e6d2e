/** @param {string[]} head @param {(string | number)[][]} rows @returns {string} Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  const rule = head.map((_, i) => (i < 2 ? '---' : '---:'))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

/** @param {ReturnType<typeof import('./machine.mjs').circumstances>} about */
export function heading({ command, date, cpu, features, cores, memory, load, versions }) {
  const named = Object.entries(versions).map((pair) => pair.join(' '))
  return [
    `\`${command}\`, ${date}.`,
    `${cpu} (${features.join(', ')}), ${cores} cores, ${megabytes(memory)} MB;`,
    `load ${load.toFixed(1)} before the start. ${named.join(', ')}.`,
  ].join(' ')
}

export function megabytes(bytes) {
  return Math.round(bytes / 1e6)
}

/** Enough digits to compare by, and none beyond what such a measurement holds. */
export function figure(value) {
  return value >= 100 ? Math.round(value).toString() : value.toPrecision(3)
}
