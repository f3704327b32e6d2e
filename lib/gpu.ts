// GPU backends are modules of ggml that the user installs beside this package: same release, same ABI.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { root } from './root.ts'
import { unpacked } from './asar.ts'
import { Qwen3Error } from './errors.ts'

/** Of node-llama-cpp's packages. The build takes the same one (scripts/llama.mjs; test/50.border.test.ts compares). */
export const llamaRelease = '3.22.1'

/** The shared library of a GPU backend, or '' where it is part of the prebuilt libraries (Metal). */
export function gpuLibrary(gpu: 'cuda' | 'vulkan' | 'metal'): string {
  if (gpu === 'metal') return ''
  const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`
  const name = `@node-llama-cpp/${platform}-${gpu}`
  const file = process.platform === 'win32' ? `ggml-${gpu}.dll` : `libggml-${gpu}.so`
  for (const from of [join(root, 'package.json'), join(process.cwd(), 'package.json')]) {
    try {
      const entry = createRequire(from).resolve(name)
      const path = unpacked(join(dirname(entry), '..', 'bins', `${platform}-${gpu}`, file))
      if (existsSync(path)) return path
    } catch {
      // Not installed where this search starts.
    }
  }
  throw new Qwen3Error(
    'ERR_GPU_UNAVAILABLE',
    `gpu: '${gpu}' needs the package ${name}, which is not installed`,
    { gpu, package: name },
    { remedy: `Run: npm install ${name}@${llamaRelease}` },
  )
}
