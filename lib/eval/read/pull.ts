// Collections that may not travel with the package: fetched from a fixed commit, checked, and converted on the user's
// machine.
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../places.ts'
import { collections } from './collections.ts'
import { wrongData } from './remarks.ts'

interface Source {
  /** Where its files lie on the web, a fixed commit of a repository. */
  base: string
  /** By path below it, SHA-256. */
  files: Readonly<Record<string, string>>
  /** Names and contents of what is kept, from the texts of the files in order. */
  convert(texts: string[]): Record<string, string>
}

const sources: Readonly<Record<string, Source>> = {
  cranfield: {
    base: 'https://raw.githubusercontent.com/oussbenk/cranfield-trec-dataset/1208e6edfb6cb2527b2c44398d3d8fefd3249144/',
    files: {
      'cran.all.1400.xml': '369eb64e59d855b62463832f1338f471cede578571ee7fb33e3592a2a138ff47',
      'cran.qry.xml': 'b609a59e980857ba59d098f33433822a5c200bcf6836a320babf2b1a5e7545eb',
      'cranqrel.trec.txt': '98a13b4913d61a02690725aee7ac4f6a1979c13fc9088ad9b4a81be58b1a6f11',
    },
    convert: ([documents, queries, judgements]) => ({
      'corpus.jsonl': jsonl([...elements(documents!, 'doc')].map(cranfieldDocument)),
      // Judgements number the queries by their place; the numbers in the file have gaps.
      'queries.jsonl': jsonl(
        [...elements(queries!, 'top')].map((top, i) => ({
          _id: `${i + 1}`,
          text: flat(inside(top, 'title')),
        })),
      ),
      'qrels/test.tsv': `query-id\tcorpus-id\tscore\n${positives(judgements!)}`,
    }),
  },
  stsbenchmark: {
    base: 'https://raw.githubusercontent.com/PhilipMay/stsb-multi-mt/30de0dec4ee199b7f42351d3f1a0b19592955385/data/',
    files: {
      'stsb-en-test.csv': '11523b625219e94e9ca05d2816b5f02cac1614c5894fe657376fa0806378d053',
    },
    convert: ([pairs]) => ({ 'test.csv': pairs! }),
  },
}

export interface PullOptions {
  /** A folder that holds the files already, in place of the web. */
  from?: string
  signal?: AbortSignal
}

/** @returns The folder of the collection. @throws Qwen3Error `ERR_DATASET` if it cannot be had, or is another version. */
export async function pullCollection(
  name: string,
  { from, signal }: PullOptions = {},
): Promise<string> {
  const source = sources[name]
  if (!source) {
    const known = collections.find((one) => one.name === name)
    throw wrongData(
      known
        ? `${name} travels with the package: there is nothing to fetch`
        : `There is no collection ${name}; there are ${Object.keys(sources).join(', ')}`,
    )
  }
  const texts: string[] = []
  for (const [path, hash] of Object.entries(source.files)) {
    const bytes =
      from === undefined ? await fetched(source.base + path, signal) : await local(join(from, path))
    const found = createHash('sha256').update(bytes).digest('hex')
    if (found !== hash) {
      throw wrongData(
        `${path} is not the file that is known (SHA-256 ${found.slice(0, 16)}…, expected ${hash.slice(0, 16)}…)`,
        { file: path },
      )
    }
    texts.push(bytes.toString('utf8'))
  }
  const folder = cacheFolder('collections', name)
  const fresh = `${folder}.${process.pid}.new`
  for (const [path, content] of Object.entries(source.convert(texts))) {
    await mkdir(join(fresh, path, '..'), { recursive: true })
    await writeFile(join(fresh, path), content)
  }
  await rm(folder, { recursive: true, force: true })
  await rename(fresh, folder)
  return folder
}

async function fetched(url: string, signal: AbortSignal | undefined): Promise<Buffer> {
  const answer = await fetch(url, signal ? { signal } : {}).catch((cause: Error) => {
    if (signal?.aborted) throw signal.reason
    throw wrongData(
      `${url} could not be fetched (${cause.message}): fetch it elsewhere and name its folder with from`,
      { url },
    )
  })
  if (!answer.ok)
    throw wrongData(`${url} answered ${answer.status}`, { url, status: answer.status })
  return Buffer.from(await answer.arrayBuffer())
}

async function local(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ENOENT' ? wrongData(`There is no file ${path}`, { file: path }) : cause
  })
}

function cranfieldDocument(xml: string) {
  const title = flat(inside(xml, 'title'))
  const text = flat(inside(xml, 'text'))
  // The text repeats the title.
  return {
    _id: flat(inside(xml, 'docno')),
    title,
    text: text.startsWith(title) ? text.slice(title.length).trim() : text,
  }
}

/** Judgements above 0, in the order of their queries; of one query in the order of the file. */
function positives(text: string): string {
  const rows = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , grade]) => Number(grade) > 0)
  const seen = new Set<string>()
  const kept = rows.filter(
    ([query, , document]) => !seen.has(`${query} ${document}`) && seen.add(`${query} ${document}`),
  )
  return kept.map(([query, , document]) => `${query}\t${document}\t1\n`).join('')
}

function* elements(xml: string, name: string): Generator<string> {
  for (const [, content] of xml.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, 'g')))
    yield content!
}

function inside(xml: string, name: string): string {
  const content = elements(xml, name).next().value ?? ''
  return content.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function jsonl(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
}
