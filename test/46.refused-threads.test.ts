import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { fixture } from './fixtures/models.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'qwen3-embed-threads-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// As a limit on the threads of a process: from refuse(n) on, n more may be alive at a time. A thread of before that
// ends later gives no room: a load that has been rejected may still be ending its own.
const source = `
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <atomic>
static std::atomic<long> room{1 << 20};
static std::atomic<long> limits{0};
extern "C" __attribute__((visibility("default"))) void refuse_threads(long n) {
  ++limits;
  room = n < 0 ? 1 << 20 : n;
}
struct Thread { void* (*run)(void*); void* given; long limit; };
static void* run_one(void* given) {
  const Thread thread = *static_cast<Thread*>(given);
  delete static_cast<Thread*>(given);
  void* result = thread.run(thread.given);
  if (thread.limit == limits) ++room;
  return result;
}
extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* given) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (--room < 0) {
    ++room;
    return EAGAIN;
  }
  return create(thread, attributes, run_one, new Thread{run, given, limits});
}
`
// What JavaScript calls it by: an addon of one function, with no header but Node's.
const addon = `
#include <node_api.h>
extern "C" void refuse_threads(long n);
static napi_value call(napi_env env, napi_callback_info info) {
  size_t n = 1; napi_value given; int64_t left;
  napi_get_cb_info(env, info, &n, &given, nullptr, nullptr);
  napi_get_value_int64(env, given, &left);
  refuse_threads(left);
  return nullptr;
}
extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value) {
  napi_value function;
  napi_create_function(env, nullptr, 0, call, nullptr, &function);
  return function;
}
extern "C" __attribute__((visibility("default"))) int32_t node_api_module_get_api_version_v1() { return 8; }
`

function compile(name: string, text: string, more: string[]): string | undefined {
  const file = join(folder, `${name}.cc`)
  const out = join(folder, name)
  writeFileSync(file, text)
  const { status, stderr, error } = spawnSync(
    'g++',
    ['-std=c++17', '-shared', '-fPIC', '-O1', '-o', out, file, ...more],
    { encoding: 'utf8' },
  )
  if (error) return undefined
  if (status !== 0) throw new Error(stderr)
  return out
}

const library = process.platform === 'linux' ? compile('refuse.so', source, ['-ldl']) : undefined
const include = join(root, 'node_modules/node-api-headers/include')
const binding =
  library && compile('refuse.node', addon, [`-I${include}`, '-Wl,--unresolved-symbols=ignore-all'])

async function outputOf(body: string): Promise<unknown> {
  const script = `
    import { createRequire } from 'node:module'
    import { Embedder } from 'qwen3-embed'
    const refuse = createRequire(import.meta.url)(${JSON.stringify(binding)})
    const path = ${JSON.stringify(fixture('embed'))}
    const codeOf = (promise) => promise.then(() => 'ok', (error) => error.code)
    ${body}`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    env: { ...process.env, LD_PRELOAD: library },
  })
  let output = ''
  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))
  const code = await new Promise((resolve) =>
    child.on('exit', (status, signal) => resolve(status ?? signal)),
  )
  return { code, output: output.trim() }
}

describe.skipIf(!binding)('threads that the system refuses', () => {
  it.each(['packed', 'generic'])(
    'end a load of the %s engine, and the process lives',
    async (engine) => {
      // The first is the lane's; then come those that compute.
      const body = `
      const codes = []
      for (let n = 0; n < 6; n++) {
        refuse(n)
        const load = Embedder.load(path, { engine: '${engine}', threads: 4 })
        codes.push(await codeOf(load))
        refuse(-1)
        await load.then((embedder) => embedder.close(), () => {})
      }
      const embedder = await Embedder.load(path, { engine: '${engine}', threads: 4 })
      const expected = await embedder.embedQuery('a text')
      refuse(0)
      codes.push(await codeOf(embedder.embedQuery('a text')), await codeOf(embedder.embedDocuments(['a', 'b c d'])))
      refuse(-1)
      const vector = await embedder.embedQuery('a text')
      codes.push(vector.every((value, i) => value === expected[i]))
      await embedder.close()
      console.log(codes.join(' '))`
      const { code, output } = (await outputOf(body)) as { code: unknown; output: string }
      expect(code, output).toBe(0)
      const codes = output.split(' ')
      expect(codes.slice(0, 4)).toEqual(Array(4).fill('ERR_OUT_OF_MEMORY'))
      for (const each of codes.slice(4, 6)) expect(['ok', 'ERR_OUT_OF_MEMORY']).toContain(each)
      expect(codes.slice(6)).toEqual(['ok', 'ok', 'true'])
    },
  )
})
