// Made-up texts that differ from round to round and are the same on every machine.
import { questions, sentences } from './sentences.ts'

const words = [...sentences, ...questions]
  .join(' ')
  .toLowerCase()
  .match(/[a-z]+/g)!
const passageWords = 115

export function shortTexts(n: number, round: number): string[] {
  const random = randomFrom(round)
  return Array.from({ length: n }, () => sentence(4 + Math.floor(6 * random()), random))
}

/** About 128 tokens each. */
export function passages(n: number, round: number): string[] {
  const random = randomFrom(round ^ 0x5eed)
  return Array.from({ length: n }, () => sentence(passageWords, random))
}

function sentence(length: number, random: () => number): string {
  return Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(' ')
}

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = (seed * 0x9e3779b1) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
