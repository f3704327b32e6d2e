// `require('qwen3-embed')` reads dist/cjs; the package is ESM, so that folder says it is not.
import { writeFileSync } from 'node:fs'

writeFileSync(new URL('../dist/cjs/package.json', import.meta.url), '{ "type": "commonjs" }\n')
