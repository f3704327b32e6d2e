import { stat } from 'node:fs/promises'
import { pullModel } from '../index.ts'
import { type Command, remark } from './command.ts'
import { Misuse } from './misuse.ts'
import { bytes } from './numbers.ts'
import { print, printJson } from './print.ts'
import { Progress } from './progress.ts'

export const pull: Command = {
  name: 'pull',
  summary: 'fetch a model, or what is new of it',
  usage: ['NAME [OPTIONS]'],
  about: [
    'Models are kept in the Hugging Face cache, where other tools find them too. HF_HOME and HF_HUB_CACHE move it, ' +
      'HF_ENDPOINT names a mirror, HF_TOKEN opens private repositories. A broken download goes on where it stopped; ' +
      'nothing is used before its hash is right. Prints the path of the GGUF.',
    'Names: qwen3-embedding-0.6b, -4b, -8b and qwen3-reranker-0.6b, -4b, -8b, each with :Q4_K_M or another ' +
      'quantization (Q8_0 otherwise); owner/repository[:quantization]; hf:owner/repository/file.gguf[@revision]; ' +
      'an https address of a GGUF.',
  ],
  options: {
    endpoint: { value: 'URL', help: 'a mirror of huggingface.co' },
    'cache-dir': { value: 'FOLDER', help: 'the hub cache; default: HF_HUB_CACHE' },
  },
  examples: [
    ['qwen3-embed pull qwen3-embedding-0.6b', '639 MB, Q8_0'],
    ['qwen3-embed pull qwen3-embedding-4b:Q4_K_M', 'another quantization'],
    [
      'qwen3-embed pull hf:Qwen/Qwen3-Embedding-8B-GGUF/Qwen3-Embedding-8B-Q6_K.gguf',
      'this very file',
    ],
  ],

  async run(args, session) {
    const name = args.single('model')
    if (name === undefined) throw new Misuse('Expected the name of a model to fetch')
    const progress = new Progress('download', session)
    let isFetching = false
    let kept = 0
    try {
      const model = await pullModel(name, {
        signal: session.signal,
        endpoint: args.text('endpoint'),
        cacheDir: args.text('cache-dir'),
        onProgress: (event) => {
          if (event.done < event.total) isFetching = true
          kept = event.done
          progress.follow(event)
        },
      })
      progress.end()
      const sizes = await Promise.all(model.paths.map(async (path) => (await stat(path)).size))
      const size = sizes.reduce((sum, one) => sum + one, 0)
      if (model.note) remark(session, `note: ${model.note}`)
      remark(session, `${model.name}: ${bytes(size)}${isFetching ? '' : ', was already there'}`)
      if (args.has('json')) await printJson({ ...model, bytes: size })
      else await print(`${model.paths.join('\n')}\n`)
      return true
    } catch (error) {
      progress.end()
      if (session.signal.aborted && isFetching) {
        process.stderr.write(`${bytes(kept)} are kept; the same command goes on from there\n`)
      }
      throw error
    }
  },
}
