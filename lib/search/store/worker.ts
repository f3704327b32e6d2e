// The thread that owns the index file.
import { workerData } from 'node:worker_threads'
import { serveThread } from '../../thread/serve.ts'
import { answer, passageOf } from './answer.ts'
import { backup, check, digest, exported } from './check.ts'
import { probeRanks, probes, putProbes } from './probes.ts'
import { list, status } from './status.ts'
import { Store } from './store.ts'

const { path, access } = workerData as { path: string; access: 'read' | 'write' | 'create' }
let opened: Store | undefined
const store = () => {
  opened ??= new Store(path, access)
  return opened
}

const methods = {
  open: () => store().reading(() => undefined),
  close: () => opened?.close(),
  meta: (key: string) => store().meta(key),
  setMeta: (key: string, value: string) => store().setMeta(key, value),
  roots: () => store().roots(),
  addRoot: (...args: Parameters<Store['addRoot']>) => store().addRoot(...args),
  removeRoot: (...args: Parameters<Store['removeRoot']>) => store().removeRoot(...args),
  readAllAnew: () => store().readAllAnew(),
  beginWalk: (...args: Parameters<Store['beginWalk']>) => store().beginWalk(...args),
  compare: (...args: Parameters<Store['compare']>) => store().compare(...args),
  endWalk: (...args: Parameters<Store['endWalk']>) => store().endWalk(...args),
  put: (...args: Parameters<Store['put']>) => store().put(...args),
  remove: (...args: Parameters<Store['remove']>) => store().remove(...args),
  spaces: () => store().spaces(),
  ensureSpace: (...args: Parameters<Store['ensureSpace']>) => store().ensureSpace(...args),
  dropLeaving: () => store().dropLeaving(),
  setMeasures: (...args: Parameters<Store['setMeasures']>) => store().setMeasures(...args),
  probes: (space: number) => probes(store(), space),
  putProbes: (...[space, all]: [number, Parameters<typeof putProbes>[2]]) =>
    putProbes(store(), space, all),
  probeRanks: (space: number, hash: string) => probeRanks(store(), space, hash),
  bestCosines: (...args: Parameters<Store['bestCosines']>) => store().bestCosines(...args),
  pendingFiles: (...args: Parameters<Store['pendingFiles']>) => store().pendingFiles(...args),
  pendingTexts: (...args: Parameters<Store['pendingTexts']>) => store().pendingTexts(...args),
  putVectors: (...args: Parameters<Store['putVectors']>) => store().putVectors(...args),
  answer: (...[request]: [Parameters<typeof answer>[1]]) => answer(store(), request),
  passage: (id: string, around: number) => passageOf(store(), id, around),
  status: () => status(store()),
  list: () => list(store()),
  check: () => check(store()),
  digest: () => digest(store()),
  backup: (file: string) => backup(store(), file),
  fileIds: () => store().reading(() => [...store().memory.files.keys()]),
  exported: (file: number, space: number) => exported(store(), file, space),
}

export type StoreMethods = typeof methods

serveThread(
  Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [
      name,
      (_: unknown, ...args: never[]) => (method as (...args: never[]) => unknown)(...args),
    ]),
  ),
)
