// Which C library a Linux has: binaries for one do not load with the other.

/** `glibc` with its version, `musl`, or '' where there is but one. */
export interface Libc {
  readonly family: 'glibc' | 'musl' | ''
  readonly version: string
}

let found: Libc | undefined

export function libc(): Libc {
  found ??= process.platform === 'linux' ? ofLinux() : { family: '', version: '' }
  return found
}

function ofLinux(): Libc {
  // Node was built for one of them, and says so; without the network part, which may take seconds.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  const before = report.excludeNetwork
  report.excludeNetwork = true
  try {
    const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
    const { glibcVersionRuntime: version } = header
    return version ? { family: 'glibc', version } : { family: 'musl', version: '' }
  } finally {
    if (before === undefined) delete report.excludeNetwork
    else report.excludeNetwork = before
  }
}
