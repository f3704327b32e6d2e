// What a binary is, from its bytes: for which processor, and which versions of system libraries it asks for.
import { readFileSync } from 'node:fs'
import { glibcFloor } from './platforms.mjs'

/** Says what is wrong with a library for a platform: an empty list if nothing is. */
export function faultsOf(path, { magic, cpu, libc }) {
  const bytes = readFileSync(path)
  const found = kindOf(bytes)
  if (found.magic !== magic || (found.cpu && found.cpu !== cpu)) {
    return [`${path} is ${found.magic} for ${found.cpu}, expected ${magic} for ${cpu}`]
  }
  if (magic !== 'elf') return []
  const faults = []
  // Versions of symbols are strings in the file, whoever made it.
  const text = bytes.toString('latin1')
  const versions = [...new Set(text.match(/\0GLIBC_[\d.]+(?=\0)/g) ?? [])].map((one) =>
    one.slice(7),
  )
  if (libc === 'musl' && versions.length > 0)
    faults.push(`${path} asks for glibc: built for the other C library`)
  if (libc === 'glibc') {
    const over = versions.filter((version) => isOver(version, glibcFloor))
    const floor = glibcFloor.join('.')
    if (over.length > 0)
      faults.push(`${path} asks for glibc ${over.join(', ')}, more than ${floor}`)
  }
  return faults
}

/** Whether the addon brings the C++ library along: it must not raise what the system has to have. */
export function asksForCxxLibrary(path) {
  return /\0libstdc\+\+\.so\.6\0/.test(readFileSync(path).toString('latin1'))
}

function kindOf(bytes) {
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    return { magic: 'elf', cpu: { 62: 'x64', 183: 'arm64' }[bytes.readUInt16LE(18)] ?? 'another' }
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) {
    return { magic: 'macho', cpu: { 16777223: 'x64', 16777228: 'arm64' }[bytes.readUInt32LE(4)] }
  }
  if (bytes.readUInt32BE(0) === 0xcafebabe) return { magic: 'macho', cpu: undefined }
  if (bytes.readUInt16BE(0) === 0x4d5a) {
    const header = bytes.readUInt32LE(0x3c)
    return { magic: 'pe', cpu: { 34404: 'x64', 43620: 'arm64' }[bytes.readUInt16LE(header + 4)] }
  }
  return { magic: 'no library', cpu: 'nothing' }
}

function isOver(version, [major, minor]) {
  const [a, b = 0] = version.split('.').map(Number)
  return a > major || (a === major && b > minor)
}
