import { Qwen3Error } from '../errors.ts'

/** Runs work on the cache so that all it can fail with is the caller's own reason or a Qwen3Error. */
export async function guarded<T>(
  hub: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (!isSystemError(error)) throw error
    throw new Qwen3Error(
      'ERR_CACHE',
      `The model cache ${hub} could not be used: ${error.message}`,
      { folder: hub, reason: error.code },
      {
        remedy: 'Set HF_HUB_CACHE, or the cacheDir option, to a folder this process may write to.',
        cause: error,
      },
    )
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
