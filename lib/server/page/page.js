// Works on any server that speaks OpenAI's embeddings and Jina's rerank; this one is at the page's own address.
const base = location.pathname.replace(/\/$/, '')
const $ = (id) => document.getElementById(id)

const examples = [
  'You can return the product within thirty days for a refund.',
  'To reset your password, click the link in the email.',
  'Our flight was cancelled because of the storm.',
  'The train to London leaves at nine in the morning.',
  'You need a passport to travel abroad.',
  'Aspirin relieves headaches and lowers fever.',
  'Berlin is the capital of Germany.',
  'Paris is the capital city of France.',
  'Water freezes at zero degrees Celsius.',
  'The bank lends money to young families who buy a house.',
  'Prices in the shops have risen again this year.',
  'The printer is out of paper again.',
]

/** Lines of the list that the map compares: more cells than this are too small to read. */
const mapSize = 60

let shown = 0

async function call(path, body) {
  const key = sessionStorage.getItem('key')
  const response = await fetch(base + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      'content-type': 'application/json',
      ...(key ? { authorization: `Bearer ${key}` } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
  })
  const answer = await response.json()
  if (response.ok) return answer
  if (response.status === 401) $('key-form').hidden = false
  throw new Error(answer.error?.message ?? answer.message ?? answer.detail ?? response.statusText)
}

async function embed(input, more = {}) {
  const body = { model: $('embedder').value, input, encoding_format: 'base64', ...more }
  const { data, usage } = await call('/v1/embeddings', body)
  return { vectors: data.map(({ embedding }) => decode(embedding)), tokens: usage.total_tokens }
}

function decode(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))
  return new Float32Array(bytes.buffer)
}

function dot(a, b) {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

function documents() {
  const lines = $('documents').value.split('\n')
  return lines.map((line) => line.trim()).filter((line) => line !== '')
}

async function rerank(query, texts, instruction) {
  const model = $('reranker').value
  if (model === '') return { scores: null, tokens: 0 }
  const body = { model, query, documents: texts, truncation: true, ...instruction }
  const { results, usage } = await call('/v1/rerank', body)
  const scores = new Array(texts.length)
  for (const { index, relevance_score: score } of results) scores[index] = score
  return { scores, tokens: usage.total_tokens }
}

async function run() {
  const turn = ++shown
  const texts = documents()
  const query = $('query').value.trim()
  const text = $('instruction').value.trim()
  $('count').textContent = texts.length === 1 ? '1 line' : `${texts.length} lines`
  if (texts.length === 0 || query === '') return
  $('search').disabled = true
  const start = performance.now()
  try {
    const instruction = text === '' ? {} : { instruction: text }
    const [asked, given, ranked] = await Promise.all([
      embed([query], text === '' ? { input_type: 'query' } : instruction),
      embed(texts, { truncate: true }),
      rerank(query, texts, instruction),
    ])
    const milliseconds = performance.now() - start
    if (turn !== shown) return
    const tokens = asked.tokens + given.tokens + ranked.tokens
    $('cost').textContent = `${tokens.toLocaleString('en')} tokens, ${milliseconds.toFixed(0)} ms`
    $('problem').hidden = true
    showRanked(texts, given.vectors, asked.vectors[0], ranked.scores)
    showMap(texts.slice(0, mapSize), given.vectors)
  } catch (error) {
    $('problem').textContent = error.message
    $('problem').hidden = false
  } finally {
    $('search').disabled = false
  }
}

function showRanked(texts, vectors, query, scores) {
  const rows = texts.map((text, i) => {
    return { text, similarity: dot(vectors[i], query), score: scores?.[i] ?? null }
  })
  rows.sort((a, b) => (b.score ?? b.similarity) - (a.score ?? a.similarity))
  $('legend-rerank').hidden = scores === null
  $('results').replaceChildren(
    ...rows.map(({ text, similarity, score }, i) => {
      const body = element('div', '', element('p', 'document', text))
      body.append(bar('similarity', similarity, Math.max(0, similarity)))
      if (score !== null) body.append(bar('rerank', score, score))
      return element('li', '', element('span', 'rank', `${i + 1}`), body)
    }),
  )
}

function bar(kind, value, fraction) {
  const fill = element('div', `bar ${kind}`)
  fill.style.width = `${100 * Math.min(1, fraction)}%`
  const number = element('span', '', minus(value.toFixed(3)))
  const what = kind === 'rerank' ? 'Reranked' : 'Similarity'
  const row = element('div', 'score', element('div', 'track', fill), number)
  row.title = `${what} ${number.textContent}`
  return row
}

function showMap(texts, vectors) {
  const values = texts.map((_, i) => texts.map((_, j) => dot(vectors[i], vectors[j])))
  const low = Math.min(...values.flat())
  $('low').textContent = minus(low.toFixed(2))
  $('high').textContent = '1'
  $('cell').textContent = 'Point at a cell to read its pair.'
  const grid = $('grid')
  grid.style.gridTemplateColumns = `repeat(${texts.length}, minmax(0, 1fr))`
  grid.replaceChildren(
    ...values.flatMap((row, i) =>
      row.map((value, j) => {
        const share = Math.min(1, (value - low) / Math.max(1e-6, 1 - low))
        const cell = element('div', 'cell', texts.length <= 14 ? shortened(value) : '')
        cell.style.background = `color-mix(in oklab, var(--accent) ${100 * share}%, var(--track))`
        cell.style.color = share > 0.6 ? 'var(--on-accent)' : 'var(--text)'
        cell.dataset.pair = `${minus(value.toFixed(3))}: ${texts[i]} × ${texts[j]}`
        return cell
      }),
    ),
  )
}

function shortened(value) {
  return minus(value.toFixed(2).replace(/^(-?)0\./, '$1.'))
}

function minus(number) {
  return number.replace('-', '−')
}

function element(name, className, ...children) {
  const made = document.createElement(name)
  if (className) made.className = className
  made.append(...children)
  return made
}

function choose(select, models) {
  select.replaceChildren(...models.map(({ id }) => element('option', '', id)))
}

async function start() {
  try {
    const { data } = await call('/v1/models')
    choose(
      $('embedder'),
      data.filter(({ kind }) => kind === 'embedding'),
    )
    const rerankers = data.filter(({ kind }) => kind === 'reranking')
    choose($('reranker'), rerankers)
    $('reranker-picker').hidden = rerankers.length === 0
    $('key-form').hidden = true
    await run()
  } catch (error) {
    $('problem').textContent = error.message
    $('problem').hidden = false
  }
}

function show(name) {
  for (const one of ['ranked', 'map']) {
    $(one).hidden = one !== name
    $(`tab-${one}`).setAttribute('aria-pressed', `${one === name}`)
  }
}

$('documents').value = examples.join('\n')
$('documents').addEventListener('input', () => {
  const { length } = documents()
  $('count').textContent = length === 1 ? '1 line' : `${length} lines`
})
$('input').addEventListener('submit', (event) => {
  event.preventDefault()
  run()
})
$('key-form').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem('key', $('key').value)
  start()
})
for (const select of [$('embedder'), $('reranker')]) select.addEventListener('change', run)
$('tab-ranked').addEventListener('click', () => show('ranked'))
$('tab-map').addEventListener('click', () => show('map'))
$('grid').addEventListener('pointerover', (event) => {
  if (event.target.dataset.pair) $('cell').textContent = event.target.dataset.pair
})
start()
