#!/usr/bin/env node
// Writes native/core/text/unicode_ranges.cc: what a pre-tokenizer's pattern asks of a character (\p{L}, \p{N},
// white space), from the Unicode tables that this Node carries. Run it with a newer Node for newer tables.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const classes = [
  ['kLetter', /^\p{L}$/u],
  ['kNumber', /^\p{N}$/u],
  ['kSpace', /^\p{White_Space}$/u],
]
const classOf = (code) => {
  const character = String.fromCodePoint(code)
  return classes.find(([, pattern]) => pattern.test(character))?.[0] ?? 'kOther'
}

const ranges = []
let last = 'kOther'
for (let code = 0; code < 0x110000; code++) {
  const found = classOf(code)
  if (found !== last) ranges.push(`{0x${code.toString(16)}, CharClass::${found}}`)
  last = found
}

const text = `// Unicode ${process.versions.unicode}, written by scripts/unicode-classes.mjs.
#include "core/text/unicode.h"

namespace qwen3_embed {

// Each begins where the class changes; what comes before the first is kOther.
const std::vector<ClassRange>& class_ranges() {
  static const std::vector<ClassRange> ranges = {${ranges.join(', ')}};
  return ranges;
}

}  // namespace qwen3_embed
`
writeFileSync(
  fileURLToPath(new URL('../native/core/text/unicode_ranges.cc', import.meta.url)),
  text,
)
