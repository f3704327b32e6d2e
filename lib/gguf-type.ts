// What a GGUF says it holds, read from the first of its metadata: adapters look like damaged models otherwise.
import { open } from 'node:fs/promises'

export const adapterRemedy =
  'Load it with the model that it was made for, as the option adapter: { adapter: path }.'

/** Bytes that are looked at: `general.type` is among the first keys of every file that has it. */
const most = 1 << 18

const fixedSizes: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
}
const [stringType, arrayType] = [8, 9]

/** `general.type`, such as `model` or `adapter`; undefined where it is not said or the file cannot be read. */
export async function generalType(path: string): Promise<string | undefined> {
  const file = await open(path, 'r').catch(() => undefined)
  if (!file) return undefined
  try {
    const buffer = Buffer.alloc(most)
    const { bytesRead } = await file.read(buffer, 0, most, 0)
    return findType(buffer.subarray(0, bytesRead))
  } catch {
    // It ends within a value: nothing was said before.
    return undefined
  } finally {
    await file.close()
  }
}

function findType(bytes: Buffer): string | undefined {
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') return undefined
  const pairs = Number(bytes.readBigUInt64LE(16))
  let at = 24
  const length = () => {
    const value = Number(bytes.readBigUInt64LE(at))
    at += 8
    return value
  }
  const string = () => {
    const size = length()
    at += size
    return bytes.toString('utf8', at - size, at)
  }
  const skip = (type: number, count = 1) => {
    const size = fixedSizes[type]
    if (size !== undefined) at += size * count
    else for (let i = 0; i < count; i++) string()
  }
  for (let i = 0; i < pairs; i++) {
    const key = string()
    const type = bytes.readUInt32LE(at)
    at += 4
    if (key === 'general.type' && type === stringType) return string()
    if (type === arrayType) {
      const of = bytes.readUInt32LE(at)
      at += 4
      skip(of, length())
    } else skip(type)
  }
  return undefined
}
