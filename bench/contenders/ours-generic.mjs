import { loadOurs } from './ours.mjs'

/** qwen3-embed over llama.cpp's own pass. Its context holds the trial's longest text, or a usual pack. */
export const load = (job) =>
  loadOurs(job, { engine: 'generic', maxTokens: Math.max(512, job.trial.longest) })
