// One Parquet file: id (string), vector (FixedSizeList of float32, null where a text failed), tokens, cut, error.
import type { JobFacts, Shard } from '../manifest.ts'
import { type ParquetPeers, parquetPeers } from './parquet-peers.ts'
import { Draft } from '../stores/draft.ts'
import type { Store } from '../stores/store.ts'
import type { Metadata, Row, SealedFile, ShardFile } from './shard-file.ts'

/** Rows in a row group: some tens of MB of vectors. */
const groupRows = 8_192

export class ParquetFile implements ShardFile {
  readonly #draft: Draft
  readonly #width: number
  readonly #metadata: Metadata
  readonly #peers: ParquetPeers
  readonly #vectors: Float32Array
  readonly #rows: Omit<Row, 'vector'>[] = []
  /** A bit for each row: whether it has a vector. */
  readonly #valid: Uint8Array
  #nulls = 0

  private constructor(
    draft: Draft,
    peers: ParquetPeers,
    width: number,
    rows: number,
    meta: Metadata,
  ) {
    this.#draft = draft
    this.#peers = peers
    this.#width = width
    this.#metadata = meta
    this.#vectors = new Float32Array(rows * width)
    this.#valid = new Uint8Array(Math.ceil(rows / 8))
  }

  /** @throws Qwen3Error `ERR_FLEET` where apache-arrow or parquet-wasm is not installed */
  static async open(
    store: Store,
    { dimensions }: JobFacts,
    { id, rows }: Shard,
    metadata: Metadata,
  ): Promise<ParquetFile> {
    const peers = await parquetPeers()
    const draft = await Draft.open(store, `${id}.parquet`)
    return new ParquetFile(draft, peers, dimensions, rows, metadata)
  }

  async write(rows: readonly Row[]): Promise<void> {
    for (const { vector, ...facts } of rows) {
      const at = this.#rows.length
      // More rows than planned are told by their number, once all are read.
      if (at * this.#width < this.#vectors.length) {
        if (vector) {
          this.#vectors.set(vector, at * this.#width)
          this.#valid[at >> 3]! |= 1 << (at & 7)
        } else this.#nulls++
      }
      this.#rows.push(facts)
    }
  }

  async seal(): Promise<SealedFile[]> {
    const bytes = this.#bytes()
    await this.#draft.write(bytes)
    const { path } = this.#draft
    const sha256 = await this.#draft.seal()
    return [{ draft: path, ending: '.parquet', sha256, bytes: bytes.length }]
  }

  async discard(): Promise<void> {
    await this.#draft.discard()
  }

  #bytes(): Uint8Array {
    const { arrow, parquet } = this.#peers
    const { Field, FixedSizeList, Float32, Int32, makeData, makeVector, Utf8 } = arrow
    const rows = this.#rows
    const values = makeData({ type: new Float32(), data: this.#vectors })
    const vector = makeData({
      type: new FixedSizeList(this.#width, new Field('item', new Float32(), false)),
      length: rows.length,
      nullCount: this.#nulls,
      nullBitmap: this.#valid,
      child: values,
    })
    const strings = (of: (row: Omit<Row, 'vector'>) => string | null) =>
      arrow.vectorFromArray(rows.map(of), new Utf8())
    const numbers = (of: (row: Omit<Row, 'vector'>) => number) =>
      makeVector({ type: new Int32(), data: Int32Array.from(rows, of) } as never)
    const table = new arrow.Table({
      id: strings(({ id }) => `${id}`),
      vector: makeVector(vector),
      tokens: numbers(({ tokens }) => tokens),
      cut: numbers(({ cut }) => cut),
      error: strings(({ error }) => error && `${error.code}: ${error.message}`),
    })
    const properties = new parquet.WriterPropertiesBuilder()
      .setKeyValueMetadata(new Map(Object.entries(this.#metadata)))
      .setMaxRowGroupSize(groupRows)
      // Vectors do not shrink, nor do dictionaries or bounds of their values help anybody; what else there is, is small.
      .setCompression(parquet.Compression.UNCOMPRESSED)
      .setDictionaryEnabled(false)
      .setStatisticsEnabled(parquet.EnabledStatistics.None)
      .build()
    const stream = arrow.tableToIPC(table, 'stream')
    return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties)
  }
}
