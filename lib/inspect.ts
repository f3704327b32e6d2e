import { adapterRemedy, generalType } from './gguf-type.ts'
import { type FileInfo, fileInfo } from './info.ts'
import { resolveModel } from './models/resolve.ts'
import { call, native } from './native.ts'
import { readText } from './options.ts'

/**
 * Facts and conformance of a GGUF, from its header alone: nothing is loaded. `findings` says what is wrong with the
 * file and what this package does about it; a fatal one means it would refuse to load it.
 *
 * @throws Qwen3Error `ERR_MODEL_NOT_FOUND`, `ERR_MODEL_INVALID` (not a GGUF, or damaged).
 */
export async function inspect(name: string): Promise<FileInfo> {
  const { paths } = await resolveModel(readText(name, 'the model name or path'), {})
  const path = paths[0]!
  const info = fileInfo(path, await call(native().binding.inspect(path)))
  if ((await generalType(path)) !== 'adapter') return info
  const what = 'the file is an adapter (LoRA), which changes a model and is none itself'
  return { ...info, findings: [{ fatal: true, what, remedy: adapterRemedy }, ...info.findings] }
}
