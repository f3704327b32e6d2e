// qwen3-embed search --eval: how well an index answers queries whose right files are known.
import { resolve, sep } from 'node:path'
import { Remarks, type Run, readJudged, score } from '../eval/index.ts'
import { Qwen3Error } from '../index.ts'
import type { FoundIndex, Hit } from '../search/index.ts'
import type { Arguments } from './arguments.ts'
import { remark, type Session } from './command.ts'
import { Misuse } from './misuse.ts'
import { print, printJson } from './print.ts'
import { Progress } from './progress.ts'
import { freshened, openIndex, readOptions } from './search-index.ts'
import { columns } from './terminal.ts'

const metrics = ['ndcg@10', 'recall@10', 'recall@100', 'mrr@10']
/** Files of a ranking: what the deepest metric reads. */
const depth = 100

export async function searchEval(
  folder: string,
  found: FoundIndex,
  args: Arguments,
  session: Session,
): Promise<boolean> {
  for (const name of ['top', 'per-file', 'files', 'explain']) {
    if (args.has(name) || args.text(name) !== undefined)
      throw new Misuse(`--${name} chooses among results, and --eval shows none`)
  }
  const options = readOptions(args)
  const remarks = new Remarks()
  const { queries, qrels } = await readJudged(resolve(folder), remarks)
  const judged = new Set([...qrels.values()].flatMap((grades) => [...grades.keys()]))
  const index = await openIndex(found, options, args, session)
  const progress = new Progress('search', session)
  const run: Run = new Map()
  try {
    if (!args.has('no-update') && !(await freshened(index, true, session)))
      remarks.add(
        'stale',
        'index could not be brought up to date and is judged as it is',
        found.path,
      )
    const roots = (await index.roots()).map(({ path }) => path)
    for (const { id, text } of queries) {
      // One passage of a file is enough, and neither words nor a smaller model stand in for the one that is judged.
      const asked = { ...options, limit: depth, perFile: 1, wait: true, signal: session.signal }
      const { hits, remarks: told } = await index.search(text, asked)
      for (const sentence of told) remarks.add(sentence, `queries: ${sentence}`, id)
      run.set(id, rankingOf(hits, roots, judged))
      progress.update(run.size / queries.length, `${run.size} of ${queries.length} queries`)
    }
  } finally {
    progress.end()
    await index.close()
  }
  if (![...run.values()].some((ranked) => [...ranked.keys()].some((name) => judged.has(name)))) {
    const [example] = judged
    throw new Qwen3Error(
      'ERR_DATASET',
      `No query found a file that is judged: judgements name files by their path below the indexed folder, with or without its ending, not ${example}`,
      { document: example! },
    )
  }
  const { metrics: means, remarks: odd } = score(qrels, run, { metrics })
  const all = [...remarks.list(), ...odd]
  for (const { message, count, example } of all) {
    remark(session, `note: ${count} ${message} (first: ${example})`)
  }
  if (args.has('json')) {
    await printJson({ index: found.path, queries: queries.length, metrics: means, remarks: all })
    return true
  }
  const rows = Object.entries(means).map(([name, { value, low, high }]) => [
    name,
    value.toFixed(3),
    `[${low.toFixed(3)}, ${high.toFixed(3)}]`,
  ])
  await print(`${queries.length} queries, means with 95% intervals\n${columns(rows, [1])}`)
  return true
}

/** Files by rank, under the names that judgements give them; the earlier the larger. */
function rankingOf(
  hits: readonly Hit[],
  roots: readonly string[],
  judged: ReadonlySet<string>,
): Map<string, number> {
  const ranked = new Map<string, number>()
  // The same text in another file is found as well.
  for (const path of hits.flatMap((hit) => [hit.path, ...(hit.also ?? [])])) {
    const names = namesOf(path, roots)
    const name = names.find((one) => judged.has(one)) ?? path
    if (!ranked.has(name)) ranked.set(name, -ranked.size)
  }
  return ranked
}

function namesOf(path: string, roots: readonly string[]): string[] {
  const below = roots
    .filter((root) => path.startsWith(root + sep))
    .map((root) => path.slice(root.length + 1).replaceAll(sep, '/'))
  return [...below, path].flatMap((name) => [name, name.replace(/\.[^./\\]+$/, '')])
}
