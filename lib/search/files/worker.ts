// The thread that walks folders and reads files: what it is handed may be hostile, so it can be ended at any time.
import { serveThread } from '../../thread/serve.ts'
import type { Rules, Wanted } from '../types.ts'
import type { Document } from '../options.ts'
import { readFile, readGiven } from './read.ts'
import { walk } from './walk.ts'

const methods = {
  walk: (root: string, rules: Rules, wantsLeft: boolean, tell: (news: unknown) => void) =>
    walk(root, rules, tell, wantsLeft),
  read: (root: string, rules: Rules, wanted: Wanted) => readFile(root, rules, wanted),
  given: (root: number, document: Document) => readGiven(root, document),
}

export type FileMethods = {
  walk: (root: string, rules: Rules, wantsLeft: boolean) => ReturnType<typeof walk>
  read: typeof methods.read
  given: typeof methods.given
}

serveThread({
  walk: (tell, root: string, rules: Rules, wantsLeft: boolean) =>
    methods.walk(root, rules, wantsLeft, tell),
  read: (_, root: string, rules: Rules, wanted: Wanted) => methods.read(root, rules, wanted),
  given: (_, root: number, document: Document) => methods.given(root, document),
})
