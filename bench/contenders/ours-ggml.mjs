import { loadOurs } from './ours.mjs'

/** qwen3-embed's packed engine with ggml's matrix products in place of our kernels. */
export const load = (job) => loadOurs(job, { kernels: 'ggml' })
