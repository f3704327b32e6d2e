import { Qwen3Error } from '../../errors.ts'

/** No space, no quota, or a limit on a file's size (`ulimit -f`). */
const full = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** Throws what a write failed of: a full disk by its own code, since it ends the worker and not the shard. */
export function diskError(path: string): (error: unknown) => never {
  return (error) => {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (!full.includes(code)) throw error
    throw new Qwen3Error(
      'ERR_DISK_FULL',
      `${path} could not be written: ${message}`,
      { path },
      {
        remedy:
          'Make room and start the worker again; its shard was handed back and others go on with it.',
        cause: error,
      },
    )
  }
}
