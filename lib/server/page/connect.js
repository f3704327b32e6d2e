// What people come for: the address, what to paste where, and which models answer.
const $ = (id) => document.getElementById(id)
const base = location.origin + location.pathname.replace(/\/$/, '')

const snippets = {
  curl: ({ url, model, key }) =>
    `curl ${url}/v1/embeddings \\\n  -H 'Content-Type: application/json' \\\n${key ? `  -H 'Authorization: Bearer YOUR_KEY' \\\n` : ''}  -d '{"model": "${model}", "input": ["a text", "another"]}'`,
  'OpenAI (JS)': ({ url, model, key }) =>
    `import OpenAI from 'openai'\n\nconst openai = new OpenAI({ apiKey: '${key}', baseURL: '${url}/v1' })\nconst { data } = await openai.embeddings.create({ model: '${model}', input: ['a text'] })`,
  'OpenAI (Python)': ({ url, model, key }) =>
    `from openai import OpenAI\n\nclient = OpenAI(api_key="${key}", base_url="${url}/v1")\ndata = client.embeddings.create(model="${model}", input=["a text"]).data`,
  'LangChain (JS)': ({ url, model, key }) =>
    `import { OpenAIEmbeddings } from '@langchain/openai'\n\nconst embeddings = new OpenAIEmbeddings({\n  model: '${model}',\n  apiKey: '${key}',\n  configuration: { baseURL: '${url}/v1' },\n})`,
  'LangChain (Python)': ({ url, model, key }) =>
    `from langchain_openai import OpenAIEmbeddings\n\nembeddings = OpenAIEmbeddings(\n    model="${model}",\n    api_key="${key}",\n    base_url="${url}/v1",\n    check_embedding_ctx_length=False,  # else it sends ids of OpenAI's tokenizer\n)`,
  'Open WebUI': ({ url, model, key }) =>
    `Admin Panel > Settings > Documents\n\nEmbedding Model Engine: OpenAI\nAPI Base URL: ${url}/v1\nAPI Key: ${key}\nEmbedding Model: ${model}`,
  Dify: ({ url, model, key, reranker }) =>
    `Settings > Model Provider > OpenAI-API-compatible > Add model\n\nModel Type: Text Embedding\nModel Name: ${model}\nAPI Key: ${key}\nAPI endpoint URL: ${url}/v1${reranker ? `\n\nModel Type: Rerank\nModel Name: ${reranker}\nAPI endpoint URL: ${url}/v1` : ''}`,
  Ollama: ({ url, model }) =>
    `OLLAMA_HOST=${url}\n\nimport { Ollama } from 'ollama'\n\nconst ollama = new Ollama({ host: '${url}' })\nawait ollama.embed({ model: '${model}', input: ['a text'] })`,
}

let models = []

function show() {
  const isLocked = sessionStorage.getItem('key') !== null
  const of = (kind) => models.find((one) => one.kind === kind)?.id
  const facts = {
    url: base,
    model: $('embedder').value || of('embedding') || 'MODEL',
    reranker: of('reranking'),
    key: isLocked ? 'YOUR_KEY' : 'none',
  }
  // curl needs no header where there is no key.
  const name = $('client').value
  const text = snippets[name](name === 'curl' ? { ...facts, key: isLocked } : facts)
  $('snippet').textContent = text
  $('address').textContent = `${base}/v1`
  $('description').href = `${base}/openapi.json`
}

function amount(value, unit) {
  const scales = ['', 'k', 'M', 'G']
  let scale = 0
  let scaled = value
  while (scaled >= 999.5 && scale < scales.length - 1) {
    scaled /= 1000
    scale++
  }
  return `${Number(scaled.toPrecision(3))} ${scales[scale]}${unit}`.trim()
}

function card(model) {
  const { id, kind, bundled, dimensions, max_tokens, quantization, parameters, bytes, loaded } =
    model
  const facts = [
    ['Does', kind === 'embedding' ? 'embeds' : 'reranks'],
    ...(dimensions ? [['Dimensions', dimensions.toLocaleString('en')]] : []),
    ['Tokens a text', max_tokens.toLocaleString('en')],
    ['Weights', `${amount(parameters, '')} in ${quantization}`],
    ['Size', amount(bytes, 'B')],
    ['Loaded', loaded ? 'yes' : 'at its first request'],
  ]
  const item = document.createElement('li')
  const name = document.createElement('strong')
  name.textContent = id
  item.append(name)
  if (bundled) {
    const remark = document.createElement('p')
    remark.className = 'demonstration'
    remark.textContent =
      'A small model of this package for first tries. It is not a Qwen model, and far below one in quality: start the server with qwen3-embedding-0.6b for real work.'
    item.append(remark)
  }
  const list = document.createElement('dl')
  for (const [term, value] of facts) {
    const group = document.createElement('div')
    const [head, body] = [document.createElement('dt'), document.createElement('dd')]
    head.textContent = term
    body.textContent = value
    group.append(head, body)
    list.append(group)
  }
  item.append(list)
  return item
}

async function copy(text, button) {
  const before = button.textContent
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  } catch {
    // Browsers give the clipboard to https and localhost only.
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    button.textContent = document.execCommand('copy') ? 'Copied' : 'Press Ctrl-C'
    area.remove()
  }
  setTimeout(() => {
    button.textContent = before
  }, 1500)
}

$('client').replaceChildren(
  ...Object.keys(snippets).map((name) => {
    const option = document.createElement('option')
    option.textContent = name
    return option
  }),
)
$('client').addEventListener('change', show)
$('embedder').addEventListener('change', show)
for (const [button, source] of [
  ['copy-address', 'address'],
  ['copy-snippet', 'snippet'],
]) {
  $(button).addEventListener('click', () => copy($(source).textContent, $(button)))
}
document.addEventListener('copy-text', ({ detail, target }) => copy(detail, target))
document.addEventListener('models', ({ detail }) => {
  models = detail
  $('models').replaceChildren(...models.map(card))
  show()
})
show()
