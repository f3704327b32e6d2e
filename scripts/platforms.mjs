// The platforms that have a package of their own, and what is asked of the binaries in it.
// lib/binding.ts has the same list (test/51.packages.test.ts compares).
const kinds = {
  linux: { ending: 'so', magic: 'elf' },
  // CMake names modules of macOS as those of Linux.
  darwin: { ending: '(dylib|so)', magic: 'macho' },
  win32: { ending: 'dll', magic: 'pe' },
}

/** Libraries without which the addon does not load, some with llama.cpp's version in their name. */
export function neededLibraries({ ending }) {
  return ['llama', 'ggml', 'ggml-base', 'ggml-cpu.*'].map(
    (name) => new RegExp(`^(lib)?${name}(\\.v?[\\d.]+)?\\.${ending}(\\.[\\d.]+)?$`),
  )
}

export const platforms = Object.fromEntries(
  [
    ['darwin', 'arm64'],
    ['darwin', 'x64'],
    ['linux', 'arm64', 'glibc'],
    ['linux', 'arm64', 'musl'],
    ['linux', 'x64', 'glibc'],
    ['linux', 'x64', 'musl'],
    ['win32', 'arm64'],
    ['win32', 'x64'],
  ].map(([os, cpu, libc]) => {
    const key = `${os}-${cpu}${libc === 'musl' ? '-musl' : ''}`
    return [key, { key, os, cpu, libc, ...kinds[os] }]
  }),
)

/** This one. */
export function here() {
  const { glibcVersionRuntime } = process.report.getReport().header
  const isMusl = process.platform === 'linux' && !glibcVersionRuntime
  return `${process.platform}-${process.arch}${isMusl ? '-musl' : ''}`
}

/** A file beside binaries that must not be published. */
export const trialMark = 'trial.txt'

/** Newest glibc that a binary may ask for: RHEL 9, Debian 12, Ubuntu 22.04, Amazon Linux 2023. */
export const glibcFloor = [2, 34]
