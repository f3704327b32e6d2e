// Runs a TypeScript script under a Node that cannot: node scripts/run-ts.mjs file.ts [arguments]
import { resolve } from 'node:path'
import { runnerImport } from 'vite'

const [file, ...rest] = process.argv.slice(2)
process.argv = [process.argv[0], resolve(file), ...rest]
await runnerImport(resolve(file), { logLevel: 'error' })
