// A job in Prometheus' text form: https://prometheus.io/docs/instrumenting/exposition_formats/
import type { Status } from './status.ts'

/**
 * Gauges of a job: shards, rows, tokens, bytes, the queue, and what workers took, from which dashboards and autoscalers
 * work. `fleet_shards_left` over the shards that one worker shall have left is the number of workers to run.
 */
export function metricsText({ job, planned, done, missing, queue, finished }: Status): string {
  const lines: string[] = []
  const gauge = (name: string, help: string, values: Record<string, number>, label = 'state') => {
    const full = `qwen3_embed_fleet_${name}`
    lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} gauge`)
    for (const [state, value] of Object.entries(values)) {
      const more = state === '' ? '' : `,${label}="${state}"`
      lines.push(`${full}{fleet="${job}"${more}} ${value}`)
    }
  }
  gauge('shards', 'Shards, planned and with a receipt.', {
    planned: planned.shards,
    done: done.shards,
  })
  gauge('rows', 'Rows, planned, done, and done with an error.', {
    planned: planned.rows,
    done: done.rows,
    failed: done.failed,
  })
  gauge('shards_left', 'Shards without a receipt: the signal to scale by.', { '': missing.length })
  gauge('tokens', 'Tokens of the rows that are done.', { '': done.tokens })
  gauge('vector_bytes', 'Bytes of files of vectors.', { '': done.bytes })
  gauge('worker_seconds', 'What the shards that are done took, of all workers together.', {
    '': done.seconds,
  })
  gauge('finished', '1 once _SUCCESS is written.', { '': finished ? 1 : 0 })
  if (queue) gauge('queue', 'Shards as the queue counts them.', { ...queue })
  return `${lines.join('\n')}\n`
}
