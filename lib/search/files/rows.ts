// Tables as groups of rows: no row is cut that is not too long by itself.
import type { Cut } from './passages.ts'

const aim = 1_000
const most = 1_600

/** @param head the line of names, said in front of every group */
export function cutRows(text: string, head: string, path: string): Cut[] {
  const name = path.split('/').at(-1)!
  const above = head === '' ? name : `${name}: ${head}`.slice(0, 200)
  const cuts: Cut[] = []
  let start = 0
  const give = (stop: number) => {
    if (text.slice(start, stop).trim() !== '')
      for (let from = start; from < stop; ) {
        let end = stop - from > most ? from + aim : stop
        if ((text.charCodeAt(end) & 0xfc00) === 0xdc00) end++
        cuts.push({ start: from, stop: end, head: above })
        from = end
      }
    start = stop
  }
  for (const end of rowEnds(text)) {
    if (end - start > aim) {
      const before = cuts.length
      give(end)
      if (cuts.length === before) start = end
    }
  }
  give(text.length)
  return cuts
}

/** Ends of lines that are not inside of quotes. */
function* rowEnds(text: string): Generator<number> {
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 34) quoted = !quoted
    else if (code === 10 && !quoted) yield i + 1
  }
}
