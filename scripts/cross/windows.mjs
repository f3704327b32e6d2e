// What MinGW links against: import libraries made from the exports of llama.cpp's DLLs, and of Node.
//
// For trying only: DLLs of the release that is built with are not on every registry, so those of the one before stand in
// for them, with the functions they lack left empty. A release takes them from a Windows machine.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fetchPackage, llamaHeaders } from '../llama.mjs'

const standIn = '3.21.1'
const absent = ['ggml_prec_set_acc']
const tool = (name) => `x86_64-w64-mingw32-${name}`

export function windowsImports(cache) {
  const dlls = dllFolder()
  const libraries = join(cache, 'imports')
  rmSync(libraries, { recursive: true, force: true })
  mkdirSync(libraries, { recursive: true })
  for (const file of readdirSync(dlls)) {
    const [, name] = /^(llama|ggml|ggml-base)(?:\.v[\d.]+)?\.dll$/.exec(file) ?? []
    if (name) importLibrary(libraries, name, file, exportsOf(join(dlls, file)))
  }
  addAbsent(libraries)
  const node = join(cache, 'node')
  rmSync(node, { recursive: true, force: true })
  mkdirSync(node, { recursive: true })
  importLibrary(node, 'node', 'node.exe', nodeExports())
  return {
    LLAMA_HEADERS: llamaHeaders(),
    LLAMA_LIBRARIES: libraries,
    CMAKE_JS_LIB: join(node, 'libnode.a'),
    CMAKE_SYSTEM_NAME: 'Windows',
    CMAKE_SYSTEM_PROCESSOR: 'AMD64',
    CMAKE_C_COMPILER: tool('gcc-posix'),
    CMAKE_CXX_COMPILER: tool('g++-posix'),
  }
}

/** The DLLs themselves, in place of what was linked. */
export function takeDlls(out) {
  for (const name of readdirSync(out)) if (name.endsWith('.a')) rmSync(join(out, name))
  const dlls = dllFolder()
  for (const name of readdirSync(dlls)) {
    if (/^(llama|ggml).*\.dll$/.test(name) && !name.includes('common')) {
      copyFileSync(join(dlls, name), join(out, name))
    }
  }
}

function dllFolder() {
  return join(fetchPackage('@node-llama-cpp/win-x64', standIn), 'bins', 'win-x64')
}

function exportsOf(dll) {
  const text = execFileSync(tool('objdump'), ['-p', dll], { encoding: 'utf8', maxBuffer: 1 << 28 })
  const table = text.slice(text.indexOf('[Ordinal/Name Pointer] Table'))
  return [...table.matchAll(/^\s*\[\s*\d+\].*?\s((?:llama|ggml|gguf)_\w+)$/gm)].map(
    ([, name]) => name,
  )
}

function nodeExports() {
  const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'))
  const read = (name) =>
    readFileSync(join(headers, 'def', name), 'utf8')
      .split('\n')
      .slice(2)
  const names = [...read('js_native_api.def'), ...read('node_api.def')].map((line) => line.trim())
  return [...new Set(names.filter((name) => name !== ''))]
}

function importLibrary(folder, name, dll, symbols) {
  if (symbols.length === 0) throw new Error(`${dll} exports nothing that is known`)
  const definition = join(folder, `${name}.def`)
  writeFileSync(definition, `LIBRARY "${dll}"\nEXPORTS\n${symbols.join('\n')}\n`)
  execFileSync(tool('dlltool'), ['-d', definition, '-D', dll, '-l', join(folder, `lib${name}.a`)])
  rmSync(definition)
}

function addAbsent(folder) {
  const source = join(folder, 'absent.c')
  const object = join(folder, 'absent.o')
  const lines = absent.map(
    (name) => `void ${name}(void) {}\nvoid (*__imp_${name})(void) = ${name};`,
  )
  writeFileSync(source, `${lines.join('\n')}\n`)
  execFileSync(tool('gcc'), ['-c', source, '-o', object])
  execFileSync(tool('ar'), ['r', join(folder, 'libggml.a'), object])
  rmSync(source)
  rmSync(object)
}
