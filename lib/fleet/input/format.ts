// What an input is, as its name says.
import { Qwen3Error } from '../../errors.ts'

export interface InputFormat {
  readonly kind: 'lines' | 'csv' | 'parquet'
  /** Of `csv`: a comma, or a tab for `.tsv`. */
  readonly delimiter: string
  readonly compression: 'none' | 'gzip' | 'zstd'
}

/** `.csv`, `.tsv` and `.parquet`; all else is JSON lines. `.gz` and `.zst` after it, but not of Parquet. */
export function formatOf(path: string): InputFormat {
  const [, name = path, ending = ''] = /^(.*?)(\.gz|\.zst)?$/is.exec(path) ?? []
  const compression = ({ '.gz': 'gzip', '.zst': 'zstd' } as const)[ending.toLowerCase()] ?? 'none'
  if (/\.parquet$/i.test(name)) {
    if (compression === 'none') return { kind: 'parquet', delimiter: '', compression }
    throw new Qwen3Error(
      'ERR_FLEET',
      `${path} is a compressed Parquet file, whose row groups cannot be reached`,
      { path },
      { remedy: 'Unpack it; Parquet compresses its columns itself.' },
    )
  }
  if (/\.[ct]sv$/i.test(name))
    return { kind: 'csv', delimiter: /\.tsv$/i.test(name) ? '\t' : ',', compression }
  return { kind: 'lines', delimiter: '', compression }
}
