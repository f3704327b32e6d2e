import { loadOurs } from './ours.mjs'

/** The kernels for AVX2, wherever it runs. */
export const load = (job) => loadOurs(job, { kernels: 'avx2' })
