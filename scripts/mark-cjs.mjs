// `require('qwen3-embed')` reads dist/cjs. The package is ESM, so that folder says it is not; and being a scope of its
// own for that, it says again where the package's root is.
import { writeFileSync } from 'node:fs'

const folder = new URL('../dist/cjs/', import.meta.url)
const scope = { type: 'commonjs', imports: { '#root': './root.cjs' } }
writeFileSync(new URL('package.json', folder), `${JSON.stringify(scope)}\n`)
writeFileSync(new URL('root.cjs', folder), `exports.root = require('../../root.cjs').root\n`)
