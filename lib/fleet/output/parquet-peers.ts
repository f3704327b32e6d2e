import { Qwen3Error } from '../../errors.ts'

export type ParquetPeers = Awaited<ReturnType<typeof parquetPeers>>

/** @throws Qwen3Error `ERR_FLEET` where one is not installed */
export async function parquetPeers() {
  try {
    return { arrow: await import('apache-arrow'), parquet: await import('parquet-wasm/node') }
  } catch (cause) {
    throw new Qwen3Error(
      'ERR_FLEET',
      'Parquet as output needs the packages apache-arrow and parquet-wasm, which are not installed',
      {},
      { remedy: 'npm install apache-arrow@18 parquet-wasm, or plan with the format npy.', cause },
    )
  }
}
