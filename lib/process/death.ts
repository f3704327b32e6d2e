// Why a child is gone, as well as it can be known.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Facts, Qwen3Error } from '../errors.ts'
import type { Exit } from './spawn.ts'

/** What is told of a death beside how it came. */
export interface Circumstances {
  readonly stderr: string
  readonly restarts: number
  readonly oomKilled: boolean
  /** The call was there at two deaths. */
  readonly suspect: boolean
}

export function deathError(
  exit: Exit | Error,
  { stderr, restarts, oomKilled, suspect }: Circumstances,
): Qwen3Error {
  const cause = new Error(stderr.trim() || 'It wrote nothing to stderr')
  if (exit instanceof Error) {
    const problem = `The process for the model could not be started: ${exit.message}`
    const remedy = 'Load without isolation, or allow this program to start processes.'
    return new Qwen3Error('ERR_PROCESS_DIED', problem, { restarts }, { remedy, cause: exit })
  }
  const { exitCode, signal, hungSeconds } = exit
  const how = signal ? `by ${signal}` : `with exit code ${exitCode}`
  const why = oomKilled ? ', because memory ran out' : ''
  const facts: Facts = {
    ...(exitCode !== null && { exitCode }),
    ...(signal && { signal }),
    ...(oomKilled && { oomKilled: 'yes' }),
    ...(hungSeconds !== undefined && { hungSeconds }),
    ...(suspect && { suspect: 'yes' }),
    restarts,
  }
  const subject = 'The process that computed for this model'
  const problem =
    hungSeconds === undefined
      ? `${subject} ended ${how}${why}`
      : `${subject} hung: no answer for ${hungSeconds} s, so it was ended ${how}`
  return new Qwen3Error('ERR_PROCESS_DIED', problem, facts, {
    remedy: suspect ? suspectRemedy : oomKilled ? memoryRemedy : again,
    cause,
  })
}

const again = 'Call again: it is started anew. The cause has what it wrote last.'
const suspectRemedy =
  'This call was running when it died twice: halve its texts to find the one that does it. The cause has what it wrote last.'
const memoryRemedy = 'Give it more memory, or load with a smaller budget or maxTokens.'

export function tooManyDeaths(last: Qwen3Error, seconds: number): Qwen3Error {
  return new Qwen3Error(
    'ERR_PROCESS_DIED',
    `The process for this model died too often in the last minute, lastly so: ${last.problem}`,
    { ...last.facts, seconds },
    { remedy: `It is tried again in ${seconds} s.`, cause: last.cause },
  )
}

/** How many processes of this control group the kernel has killed for want of memory; 0 where nobody counts. */
export function oomKills(): number {
  if (process.platform !== 'linux') return 0
  for (const file of counters()) {
    const found = /^oom_kill (\d+)$/m.exec(read(file))
    if (found) return Number(found[1])
  }
  return 0
}

function* counters(): Generator<string> {
  for (const line of read('/proc/self/cgroup').split('\n')) {
    const [, controllers, group] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (group === undefined) continue
    const [folder, file] =
      controllers === ''
        ? ['/sys/fs/cgroup', 'memory.events']
        : ['/sys/fs/cgroup/memory', 'memory.oom_control']
    if (controllers !== '' && !controllers!.split(',').includes('memory')) continue
    yield join(folder, group, file)
    // In a container the group is often mounted as the top.
    yield join(folder, file)
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
