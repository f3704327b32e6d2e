// What a text must be to be an answer.

const fewestWords = 20
const mostCharacters = 1_600

export const words = (text: string) => text.match(/[\p{L}\p{N}]+/gu) ?? []

/** Cut at the end of a word; undefined where it says too little. */
export function passageOf(text: string): string | undefined {
  const passage =
    text.length <= mostCharacters ? text : text.slice(0, mostCharacters).replace(/\s+\S*$/, '')
  return words(passage).length < fewestWords ? undefined : passage
}
