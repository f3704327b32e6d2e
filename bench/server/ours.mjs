import { Embedder } from 'qwen3-embed'
import { serve } from 'qwen3-embed/server'

const [path, threads] = process.argv.slice(2)
const model = await Embedder.load(path, { threads: Number(threads) })
const server = await serve({ models: { model }, port: 0, limits: { requestTokens: 2_000_000 } })
console.log(server.url)
