// The thread that reads inputs to plan them, and files to check them.
import { createHash } from 'node:crypto'
import { serveThread, type Tell } from '../../thread/serve.ts'
import { openStore } from '../stores/store.ts'
import { type CutInput, type Cutting, cutInput } from './cut.ts'

const tellEvery = 1 << 22

const methods = {
  async cut(tell: Tell, cutting: Omit<Cutting, 'signal' | 'onBytes'>): Promise<CutInput> {
    let told = 0
    const onBytes = (at: number) => {
      if (at - told < tellEvery) return
      told = at
      tell(at)
    }
    return cutInput({ ...cutting, signal: tell.signal, onBytes })
  },
  /** @returns the sha256 of a file of the job; undefined where it is not there */
  async digest(tell: Tell, out: string, name: string): Promise<string | undefined> {
    const hash = createHash('sha256')
    try {
      for await (const chunk of openStore(out).read(name, 0, undefined, tell.signal))
        hash.update(chunk)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    return hash.digest('hex')
  },
}

export type InputMethods = {
  cut(cutting: Omit<Cutting, 'signal' | 'onBytes'>): Promise<CutInput>
  digest(out: string, name: string): Promise<string | undefined>
}

serveThread(methods)
