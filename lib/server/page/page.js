// Asks for OpenAI's embeddings and Jina's rerank at the page's own address; what is ours alone is the kind of a model.
const base = location.pathname.replace(/\/$/, '')
const $ = (id) => document.getElementById(id)

/** Documents that the list shows: nobody reads further, and a browser takes its time over thousands. */
const listSize = 200

/** Documents that the map compares: more cells than this are too small to tell apart. */
const mapSize = 60

/** Texts of one request: long lists stay within a server's limits. */
const partSize = 256

/** Pairs of one request: few enough that progress is seen. */
const pairsSize = 16

let isReady = false
let working = new AbortController()
let map = { texts: [], values: [], cells: [], at: -1 }

async function call(path, body, signal) {
  const key = sessionStorage.getItem('key')
  const response = await fetch(base + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      'content-type': 'application/json',
      ...(key ? { authorization: `Bearer ${key}` } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
    signal,
  }).catch((cause) => {
    throw new Error('The server does not answer. Is it still running?', { cause })
  })
  const answer = await response.json().catch(() => null)
  if (response.ok && answer) {
    return { ...answer, cut: Number(response.headers.get('x-truncated-tokens')) }
  }
  if (response.status === 401) {
    $('key-form').hidden = false
    $('key').focus()
    throw new Error(key ? 'This is no API key of this server.' : 'This server asks for an API key.')
  }
  throw new Error(
    answer?.error?.message ??
      answer?.message ??
      answer?.detail ??
      `The server answered ${response.status} ${response.statusText}, and not with JSON.`,
  )
}

/** Vectors, or null where no model makes any. */
async function embed(texts, more, signal) {
  const model = $('embedder').value
  if (model === '') return { items: null, tokens: 0, cut: 0 }
  return inParts(texts, async (input) => {
    const body = { model, input, encoding_format: 'base64', ...more }
    const { data, ...answer } = await call('/v1/embeddings', body, signal)
    return { ...answer, items: data.map(({ embedding }) => decode(embedding)) }
  })
}

/** Scores, or null where no model gives any. */
async function rerank(query, texts, more, signal, onPart) {
  const model = $('reranker').value
  if (model === '' || query === '') return { items: null, tokens: 0, cut: 0 }
  return inParts(
    texts,
    async (documents) => {
      const body = { model, query, documents, truncation: true, ...more }
      const { results, ...answer } = await call('/v1/rerank', body, signal)
      const items = new Array(documents.length)
      for (const { index, relevance_score: score } of results) items[index] = score
      return { ...answer, items }
    },
    pairsSize,
    onPart,
  )
}

async function inParts(texts, ask, size = partSize, onPart = () => {}) {
  const whole = { items: [], tokens: 0, cut: 0 }
  for (let i = 0; i < texts.length; i += size) {
    onPart(i, texts.length)
    const { items, usage, cut } = await ask(texts.slice(i, i + size))
    whole.items.push(...items)
    whole.tokens += usage.total_tokens
    whole.cut += cut
  }
  return whole
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

async function run() {
  // Whoever searches again no longer waits for the search before.
  working.abort()
  working = new AbortController()
  const { signal } = working
  const texts = documents()
  const query = $('query').value.trim()
  const text = $('instruction').value.trim()
  const instruction = text === '' ? {} : { instruction: text }
  showCount()
  // What stands there is of another search from now on.
  setStale(true)
  $('cost').textContent = ''
  const patience = setTimeout(() => doing('Embedding…', undefined), 300)
  try {
    if (!isReady) await loadModels(signal)
    const start = performance.now()
    const near = await Promise.all([
      embed(
        query === '' ? [] : [query],
        text === '' ? { input_type: 'query' } : instruction,
        signal,
      ),
      embed(texts, { truncate: true }, signal),
    ])
    const [asked, given] = near.map(({ items }) => items)
    const ranks = $('reranker').value !== '' && query !== '' && texts.length > 0
    // The order by similarity is there long before a reranker is done.
    if (ranks && given) showResults({ texts, query, given, asked, ranked: null })
    const last = await rerank(query, texts, instruction, signal, (done, total) => {
      clearTimeout(patience)
      doing(`Reranked ${many(done)} of ${many(total)}`, done / total)
    })
    const parts = [...near, last]
    tell('')
    showResults({ texts, query, given, asked, ranked: last.items })
    $('cost').textContent = cost(parts, performance.now() - start)
  } catch (error) {
    if (signal.aborted) return
    tell(error.message)
  } finally {
    clearTimeout(patience)
    if (!signal.aborted) $('working').hidden = true
  }
}

function showResults({ texts, query, given, asked, ranked }) {
  showRanked(texts, query, given, asked?.[0], ranked)
  showMap(texts, given)
  say('asked', query === '' || texts.length === 0 ? '' : `For “${beginning(query)}”`)
  setStale(false)
}

function doing(what, share) {
  $('working').hidden = false
  $('doing').textContent = what
  if (share === undefined) $('progress').removeAttribute('value')
  else $('progress').value = share
}

/** Results of an earlier query, or of other documents, are never taken for those of this one. */
function setStale(is) {
  $('found').classList.toggle('stale', is)
  $('found').setAttribute('aria-busy', `${is}`)
}

function cancel() {
  working.abort()
  $('working').hidden = true
  setStale(true)
  say('asked', 'Cancelled. What is below is not of this search.')
}

function cost(parts, milliseconds) {
  const [tokens, cut] = ['tokens', 'cut'].map((name) =>
    parts.reduce((sum, part) => sum + part[name], 0),
  )
  const more = cut > 0 ? `${many(cut)} cut, ` : ''
  return `${many(tokens)} tokens, ${more}${milliseconds.toFixed(0)} ms`
}

function showRanked(texts, query, vectors, asked, scores) {
  const isEmpty = texts.length === 0 || query === ''
  const rows = isEmpty
    ? []
    : texts.map((text, i) => {
        const similarity = vectors ? dot(vectors[i], asked) : null
        return { text, similarity, score: scores?.[i] ?? null }
      })
  const before = placesBy(rows, ({ similarity }) => similarity)
  const shown = rows.map((row, i) => ({ ...row, before: before?.[i] }))
  shown.sort((a, b) => (b.score ?? b.similarity) - (a.score ?? a.similarity))
  say(
    'ranked-note',
    texts.length === 0
      ? 'No documents yet. Paste some, one a line.'
      : query === ''
        ? 'No query yet. Type one to rank the documents.'
        : rows.length > listSize
          ? `The best ${listSize} of ${many(rows.length)} documents`
          : '',
  )
  $('ranked-legend').hidden = isEmpty
  $('legend-similarity').hidden = vectors === null
  $('legend-rerank').hidden = scores === null
  $('legend-lower').hidden = vectors === null
  $('legend-end').textContent = `A full bar is 1.${scores ? '' : ' No reranker is loaded.'}`
  $('results').replaceChildren(
    ...shown.slice(0, listSize).map(({ text, similarity, score, before }, i) => {
      const body = element('div', '', directed('p', 'document', text))
      if (similarity !== null) body.append(bar('similarity', 'Similarity', similarity))
      if (score !== null) body.append(bar('rerank', 'Reranked', score))
      const moved = score === null || before === undefined ? [] : [movedFrom(before, i)]
      return element('li', '', element('span', 'rank', `${i + 1}`, ...moved), body)
    }),
  )
}

/** Places in the order of a number, best first; undefined where there are none. */
function placesBy(rows, number) {
  if (rows.length === 0 || number(rows[0]) === null) return undefined
  const order = rows.map((_, i) => i).sort((a, b) => number(rows[b]) - number(rows[a]))
  const places = new Array(rows.length)
  for (const [place, i] of order.entries()) places[i] = place
  return places
}

/** What the reranker did to a document: where it stood by similarity alone. */
function movedFrom(before, now) {
  const by = before - now
  const arrow = by > 0 ? `▲${by}` : by < 0 ? `▼${-by}` : '='
  const made = element('span', `moved ${by > 0 ? 'up' : by < 0 ? 'down' : ''}`, arrow)
  made.title = `${before + 1} by similarity, ${now + 1} reranked`
  made.setAttribute('aria-label', `was ${before + 1}`)
  made.setAttribute('role', 'img')
  return made
}

function bar(kind, what, value) {
  const fill = element('div', `bar ${kind}`)
  fill.style.width = `${100 * Math.min(1, Math.max(0, value))}%`
  const name = element('span', 'visually-hidden', `${what} `)
  const number = element('span', '', name, minus(value.toFixed(3)))
  const made = element('div', 'score', element('div', 'track', fill), number)
  made.title = number.textContent
  return made
}

function showMap(texts, vectors) {
  const some = texts.slice(0, mapSize)
  say(
    'map-note',
    vectors === null
      ? 'No embedding model is loaded.'
      : some.length === 0
        ? 'No documents yet. Paste some, one a line.'
        : some.length < texts.length
          ? `The first ${mapSize} of ${many(texts.length)} documents`
          : '',
  )
  const isEmpty = vectors === null || some.length === 0
  $('map-whole').hidden = isEmpty
  if (isEmpty) return
  const values = some.map((_, i) => some.map((_, j) => dot(vectors[i], vectors[j])))
  const low = Math.min(...values.flat())
  $('low').textContent = minus(low.toFixed(2))
  const hint = 'Point at a cell, or move with the arrow keys, to read its pair.'
  $('pair').replaceChildren(element('span', 'hint', hint))
  const cells = values.flat().map((value) => {
    const cell = role('gridcell', element('td', 'cell', shortened(value)))
    cell.style.setProperty('--share', Math.min(1, (value - low) / Math.max(1e-6, 1 - low)))
    return cell
  })
  const heads = some.map((_, i) => role('columnheader', element('th', 'head', `${i + 1}`)))
  const rows = some.map((text, i) => {
    const name = role('rowheader', directed('th', 'name', `${i + 1}  ${beginning(text)}`))
    return row(name, ...cells.slice(i * some.length, (i + 1) * some.length))
  })
  const grid = $('grid')
  grid.removeAttribute('aria-activedescendant')
  grid.className = some.length > 24 ? 'dense' : ''
  grid.style.setProperty('--columns', some.length)
  const head = row(element('td', ''), ...heads)
  head.className = 'heads'
  grid.replaceChildren(head, ...rows)
  map = { texts: some, values, cells, at: -1 }
}

function row(...cells) {
  return role('row', element('tr', '', ...cells))
}

function point(at) {
  const { texts, values, cells } = map
  const [i, j] = [Math.floor(at / texts.length), at % texts.length]
  cells[map.at]?.removeAttribute('id')
  cells[map.at]?.removeAttribute('aria-label')
  map.at = at
  const value = minus(values[i][j].toFixed(3))
  cells[at].id = 'current'
  cells[at].ariaLabel = `${cells[at].textContent}: ${beginning(texts[i])} × ${beginning(texts[j])}`
  $('grid').setAttribute('aria-activedescendant', 'current')
  const lines = [texts[i], texts[j]].map((text) => directed('span', 'line', beginning(text)))
  $('pair').replaceChildren(element('b', '', value), ...lines)
}

const steps = {
  ArrowLeft: ([i, j]) => [i, j - 1],
  ArrowRight: ([i, j]) => [i, j + 1],
  ArrowUp: ([i, j]) => [i - 1, j],
  ArrowDown: ([i, j]) => [i + 1, j],
  Home: ([i]) => [i, 0],
  End: ([i], last) => [i, last],
}

function step(event) {
  const size = map.texts.length
  if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return
  event.preventDefault()
  const at = Math.max(0, map.at)
  const [i, j] = steps[event.key]([Math.floor(at / size), at % size], size - 1)
  if (i >= 0 && j >= 0 && i < size && j < size) point(i * size + j)
  map.cells[map.at].scrollIntoView({ block: 'nearest' })
}

function shortened(value) {
  return minus(value.toFixed(2).replace(/^(-?)0\./, '$1.'))
}

function minus(number) {
  return number.replace('-', '−')
}

function many(count) {
  return count.toLocaleString('en')
}

/** As much of a document as a line may show. */
function beginning(text) {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function element(name, className, ...children) {
  const made = document.createElement(name)
  if (className) made.className = className
  made.append(...children)
  return made
}

/** With the direction of its own text, whatever the page's. */
function directed(name, className, text) {
  const made = element(name, className, text)
  made.dir = 'auto'
  return made
}

function role(name, made) {
  made.setAttribute('role', name)
  return made
}

function say(id, text) {
  $(id).textContent = text
  $(id).hidden = text === ''
}

/** What is left of an earlier search does not stand below a problem as if it were this one's. */
function tell(problem) {
  say('problem', problem)
  $('found').hidden = problem !== ''
}

function showCount() {
  const { length } = documents()
  $('count').textContent = length === 1 ? '1 document' : `${many(length)} documents`
}

async function loadModels(signal) {
  const { data } = await call('/v1/models', undefined, signal)
  for (const [name, wanted] of [
    ['embedder', 'embedding'],
    ['reranker', 'reranking'],
  ]) {
    const models = data.filter(({ kind }) => kind === wanted)
    $(name).replaceChildren(...models.map(({ id }) => element('option', '', id)))
    $(`${name}-picker`).hidden = models.length === 0
  }
  $('key-form').hidden = true
  document.dispatchEvent(new CustomEvent('models', { detail: data }))
  isReady = true
}

function show(name) {
  for (const one of ['ranked', 'map']) {
    $(one).hidden = one !== name
    $(`tab-${one}`).setAttribute('aria-pressed', `${one === name}`)
  }
}

$('documents').addEventListener('input', showCount)
for (const id of ['documents', 'query', 'instruction']) {
  $(id).addEventListener('input', () => setStale(true))
}
$('cancel').addEventListener('click', cancel)
$('input').addEventListener('submit', (event) => {
  event.preventDefault()
  run()
})
$('key-form').addEventListener('submit', (event) => {
  event.preventDefault()
  sessionStorage.setItem('key', $('key').value)
  isReady = false
  run()
})
for (const select of [$('embedder'), $('reranker')]) select.addEventListener('change', run)
$('tab-ranked').addEventListener('click', () => show('ranked'))
$('tab-map').addEventListener('click', () => show('map'))
// A table that the keyboard moves in, which HTML has no element for.
role('grid', $('grid')).tabIndex = 0
// Not where the pointer only happens to be when the keyboard scrolls cells under it.
for (const type of ['pointermove', 'pointerdown']) {
  $('grid').addEventListener(type, ({ target }) => {
    if (target.id !== 'current' && map.cells.includes(target)) point(map.cells.indexOf(target))
  })
}
$('grid').addEventListener('focus', () => point(Math.max(0, map.at)))
$('grid').addEventListener('keydown', step)
run()
