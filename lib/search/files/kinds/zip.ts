// The parts of a zip file that are asked for, however much it claims to hold.
import { inflateRawSync } from 'node:zlib'
import { Unreadable } from '../document.ts'

const mostParts = 20_000
/** Bytes of all parts that are unpacked of one file. */
const mostBytes = 256 << 20

export class Zip {
  readonly #bytes: Buffer
  readonly #parts = new Map<string, { method: number; packed: number; at: number }>()
  #left = mostBytes

  /** @throws Unreadable for what is no whole zip file */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    try {
      this.#list()
    } catch (error) {
      if (error instanceof Unreadable) throw error
      throw new Unreadable('failed', 'its parts cannot be listed: damaged?')
    }
  }

  get names(): string[] {
    return [...this.#parts.keys()]
  }

  text(name: string): string | undefined {
    const part = this.#parts.get(name)
    if (!part) return undefined
    const bytes = this.#bytes
    try {
      // Name and extra field stand between a part's own header and its bytes.
      const start =
        part.at + 30 + bytes.readUInt16LE(part.at + 26) + bytes.readUInt16LE(part.at + 28)
      const packed = bytes.subarray(start, start + part.packed)
      const whole =
        part.method === 0
          ? packed
          : inflateRawSync(packed, { maxOutputLength: Math.max(1, this.#left) })
      this.#left -= whole.length
      return whole.toString('utf8')
    } catch (error) {
      const isBomb = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
      throw new Unreadable(
        'failed',
        isBomb ? 'it unpacks to more than 256 MiB' : `its part ${name} is damaged`,
      )
    }
  }

  #list(): void {
    const bytes = this.#bytes
    const end = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
    if (end < 0) throw new Unreadable('failed', 'not a document of its kind: no zip file')
    const count = bytes.readUInt16LE(end + 10)
    let at = bytes.readUInt32LE(end + 16)
    for (let i = 0; i < Math.min(count, mostParts); i++) {
      if (bytes.readUInt32LE(at) !== 0x02014b50)
        throw new Unreadable('failed', 'its list of parts is damaged')
      if (bytes.readUInt16LE(at + 8) & 1) throw new Unreadable('skipped', 'encrypted')
      const length = bytes.readUInt16LE(at + 28)
      const name = bytes.subarray(at + 46, at + 46 + length).toString('utf8')
      this.#parts.set(name, {
        method: bytes.readUInt16LE(at + 10),
        packed: bytes.readUInt32LE(at + 20),
        at: bytes.readUInt32LE(at + 42),
      })
      at += 46 + length + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
    }
  }
}
