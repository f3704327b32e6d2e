import { loadPeer } from './node-llama-cpp.mjs'

/** node-llama-cpp as some of its users run it: a context for each thread, none waiting for another. */
export const load = (job) => loadPeer(job, job.threads)
