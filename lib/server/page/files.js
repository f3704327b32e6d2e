// The view over an index: results by words while one types, by meaning a moment later, reranked when one stops.
const base = location.pathname.replace(/\/$/, '')
const $ = (id) => document.getElementById(id)

/** Milliseconds after a key. */
const wordsPause = 80
const meaningPause = 230
const rerankPause = 700

/** Characters shown on each side of a passage. */
const around = 3_000

let state = null
let hits = []
let chosen = -1
let asking = new AbortController()
let reading = new AbortController()
let timers = []

async function ask(path, body, signal) {
  const key = sessionStorage.getItem('key')
  const response = await fetch(base + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      'content-type': 'application/json',
      ...(key ? { authorization: `Bearer ${key}` } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
    signal,
  })
  const answer = await response.json().catch(() => null)
  if (response.ok && answer) return answer
  const error = new Error(answer?.error?.message ?? `The server answered ${response.status}.`)
  throw Object.assign(error, { status: response.status })
}

// ---- what there is ----

async function loadState() {
  try {
    state = await ask('/v1/index')
  } catch (error) {
    // A server with a key is asked again when it is there.
    if (error.status === 401) return
    throw error
  }
  if ($('views').hidden) {
    $('views').hidden = false
    view('files')
    $('ask').focus()
  }
  showState()
  if (state.updating) setTimeout(() => loadState().catch(() => {}), 1_000)
}

function showState() {
  const {
    files,
    passages,
    coverage,
    updating,
    unread,
    unread_files: count,
    folders,
    problem,
  } = state
  const seen = folders.map(({ walked }) => Date.parse(walked)).filter((time) => !Number.isNaN(time))
  const parts = [
    `${many(passages)} passages in ${many(files)} files`,
    ...(coverage < 1 ? [`${Math.floor(100 * coverage)}% by meaning`] : []),
    ...(seen.length > 0 ? [`looked at ${ago(Math.min(...seen))}`] : []),
    ...(updating
      ? [
          `${updating.phase}: ${many(updating.done)}${updating.total ? ` of ${many(updating.total)}` : ''}`,
        ]
      : []),
    ...(problem ? [problem] : []),
  ]
  $('files-count').textContent = parts.join(', ')
  $('files-update').disabled = updating !== null
  $('files-unread').hidden = count === 0
  $('files-unread-count').textContent =
    `${many(count)} ${count === 1 ? 'file is' : 'files are'} not in it`
  $('files-unread-list').replaceChildren(
    ...unread.map(({ name, why }) => element('li', '', directed('code', '', name), ` ${why}`)),
  )
  const kinds = Object.keys(state.kinds)
  const before = $('ask-kind').value
  $('ask-kind').replaceChildren(
    ...['', ...kinds].map((kind) =>
      Object.assign(element('option', '', kind || 'all'), { value: kind }),
    ),
  )
  $('ask-kind').value = kinds.includes(before) ? before : ''
}

function ago(time) {
  const seconds = Math.max(0, Math.round((Date.now() - time) / 1000))
  if (seconds < 90) return `${seconds} s ago`
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min ago`
  return seconds < 129_600
    ? `${Math.round(seconds / 3600)} h ago`
    : `${Math.round(seconds / 86_400)} days ago`
}

// ---- asking ----

function typed() {
  for (const timer of timers) clearTimeout(timer)
  const passes = [
    [wordsPause, { by: 'words' }],
    [meaningPause, {}],
    ...(state?.reranks ? [[rerankPause, { rerank: true }]] : []),
  ]
  timers = passes.map(([pause, how]) => setTimeout(() => search(how), pause))
}

async function search(how) {
  const query = $('ask').value.trim()
  asking.abort()
  asking = new AbortController()
  const { signal } = asking
  if (query === '') return showHits([], '')
  const days = Number($('ask-since').value)
  const body = {
    query,
    limit: 20,
    ...($('ask-kind').value ? { types: [$('ask-kind').value] } : {}),
    ...($('ask-in').value.trim()
      ? {
          in: $('ask-in')
            .value.split(',')
            .map((one) => one.trim())
            .filter(Boolean),
        }
      : {}),
    ...(days ? { since: new Date(Date.now() - days * 86_400_000).toISOString() } : {}),
    ...how,
  }
  try {
    const answer = await ask('/v1/search', body, signal)
    say('files-problem', '')
    const note =
      answer.hits.length === 0
        ? 'Nothing matches.'
        : answer.weak
          ? 'Nothing here matches well. The nearest:'
          : ''
    showHits(answer.hits, [note, ...answer.remarks].filter(Boolean).join(' '), how)
  } catch (error) {
    if (!signal.aborted) say('files-problem', error.message)
  }
}

function showHits(found, note, how = {}) {
  const before = new Map(hits.map(({ id }, i) => [id, i]))
  const held = hits[chosen]?.id
  hits = found
  const mostWords = Math.max(...found.map(({ words = 0 }) => words), 1e-9)
  $('hits-note').textContent = note
  $('hits').replaceChildren(
    ...found.map((hit, i) => item(hit, i, mostWords, how.rerank ? before.get(hit.id) : undefined)),
  )
  const still = found.findIndex(({ id }) => id === held)
  chosen = -1
  if (found.length === 0) $('reading').hidden = true
  else choose(Math.max(0, still), still < 0, true)
}

function item(hit, i, mostWords, before) {
  const { name, head, lines, page, text, matched, date, also, cosine, words, relevance } = hit
  const button = element(
    'button',
    'hit',
    element(
      'span',
      'where',
      directed('code', '', name),
      ` ${page ? `page ${page}` : `line ${lines[0]}`}`,
      ...(before === undefined ? [] : [moved(before, i)]),
    ),
    ...(head ? [directed('strong', 'trail', head)] : []),
    directed('span', 'excerpt', ...marked(excerpt(text, matched), matched)),
    element(
      'span',
      'note',
      `${new Date(date).toLocaleDateString()}${also.length > 0 ? `, also in ${also.join(', ')}` : ''}`,
    ),
    bar('similarity', 'Meaning', cosine),
    bar('words', 'Words', words === undefined ? undefined : words / mostWords),
    bar('rerank', 'Reranked', relevance),
  )
  button.type = 'button'
  button.addEventListener('click', () => {
    choose(i, true)
    $('reading').focus()
  })
  return element('li', '', button)
}

/** What the reranker did to it. */
function moved(before, now) {
  const by = before - now
  const made = element(
    'span',
    `moved ${by > 0 ? 'up' : by < 0 ? 'down' : ''}`,
    by > 0 ? ` ▲${by}` : by < 0 ? ` ▼${-by}` : ' =',
  )
  made.title = `${before + 1} before, ${now + 1} reranked`
  return made
}

function bar(kind, what, value) {
  if (value === undefined) return ''
  const fill = element('span', `bar ${kind}`)
  fill.style.width = `${100 * Math.min(1, Math.max(0, value))}%`
  const made = element(
    'span',
    'score',
    element('span', 'track', fill),
    element('span', '', element('span', 'visually-hidden', `${what} `), value.toFixed(2)),
  )
  made.title = what
  return made
}

/** The part of a passage with its first words of the question. */
function excerpt(text, matched) {
  const flat = text.replace(/\s+/g, ' ')
  const lower = flat.toLowerCase()
  const places = matched
    .filter((term) => term.length > 2)
    .map((term) => lower.indexOf(term))
    .filter((at) => at >= 0)
  const from = Math.max(
    0,
    Math.min(
      ...places,
      flat.length > 320 ? flat.length - 320 : 0,
      ...(places.length > 0 ? [] : [0]),
    ) - 60,
  )
  return `${from > 0 ? '…' : ''}${flat.slice(from, from + 320)}${from + 320 < flat.length ? '…' : ''}`
}

/** A text with the words that were asked for marked; terms are beginnings of words. */
function marked(text, matched) {
  const terms = matched.filter((term) => term.length > 1 || /[^\0-\u024f]/.test(term))
  if (terms.length === 0) return [text]
  // A stem has an ending; a short word is all of it; of scripts without spaces any letters count.
  const sources = terms.map((term) => {
    const escaped = term.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    if (/[^\0-\u024f]/.test(term)) return escaped
    const ending = term.length > 3 ? '\\p{Ll}{0,4}' : ''
    return `(?<![\\p{L}\\p{N}])${escaped}${ending}(?![\\p{L}\\p{N}])`
  })
  const words = new RegExp(sources.join('|'), 'giu')
  const parts = []
  let at = 0
  for (const { 0: word, index } of text.matchAll(words)) {
    parts.push(text.slice(at, index), element('mark', '', word))
    at = index + word.length
  }
  return [...parts, text.slice(at)]
}

// ---- reading ----

function choose(at, shows, isNew = false) {
  const buttons = $('hits').querySelectorAll('.hit')
  buttons[chosen]?.removeAttribute('aria-current')
  chosen = at
  buttons[at]?.setAttribute('aria-current', 'true')
  if (!isNew) buttons[at]?.scrollIntoView({ block: 'nearest' })
  if (shows && hits[at]) read(hits[at])
}

async function read(hit) {
  reading.abort()
  reading = new AbortController()
  try {
    const { name, head, lines, page, text, span } = await ask(
      `/v1/passages/${hit.id}?around=${around}`,
      undefined,
      reading.signal,
    )
    $('reading').hidden = false
    $('reading-place').textContent =
      `${name}${page ? `, page ${page}` : `, lines ${lines[0]} to ${lines[1]}`}`
    $('reading-head').textContent = head
    const inner = element('span', 'span', ...marked(text.slice(...span), hit.matched))
    $('reading-text').replaceChildren(text.slice(0, span[0]), inner, text.slice(span[1]))
    // The document moves within its own frame; the page stays where it is.
    const frame = $('reading')
    frame.scrollTop += inner.getBoundingClientRect().top - frame.getBoundingClientRect().top - 120
  } catch (error) {
    if (error.name !== 'AbortError') say('files-problem', error.message)
  }
}

function view(name) {
  $('files').hidden = name !== 'files'
  $('try').hidden = name === 'files'
  $('view-files').setAttribute('aria-pressed', `${name === 'files'}`)
  $('view-models').setAttribute('aria-pressed', `${name !== 'files'}`)
}

function element(name, className, ...children) {
  const made = document.createElement(name)
  if (className) made.className = className
  made.append(...children)
  return made
}

function directed(name, className, ...children) {
  const made = element(name, className, ...children)
  made.dir = 'auto'
  return made
}

function say(id, text) {
  $(id).textContent = text
  $(id).hidden = text === ''
}

function many(count) {
  return count.toLocaleString('en')
}

// It scrolls, and keys scroll only what can be reached.
$('reading').tabIndex = 0
$('ask').addEventListener('input', typed)
for (const id of ['ask-kind', 'ask-in', 'ask-since']) $(id).addEventListener('change', typed)
$('ask-form').addEventListener('submit', (event) => {
  event.preventDefault()
  for (const timer of timers) clearTimeout(timer)
  search(state?.reranks ? { rerank: true } : {})
})
$('view-files').addEventListener('click', () => view('files'))
$('view-models').addEventListener('click', () => view('models'))
$('files-update').addEventListener('click', () => {
  ask('/v1/index/update', {})
    .then(loadState)
    .catch((error) => say('files-problem', error.message))
})
document.addEventListener('keydown', (event) => {
  if ($('files').hidden || event.ctrlKey || event.altKey || event.metaKey) return
  const isTyping = /^(?:INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
  if (event.key === '/' && !isTyping) {
    event.preventDefault()
    $('ask').select()
  } else if (
    (event.key === 'ArrowDown' || event.key === 'ArrowUp') &&
    event.target.tagName !== 'SELECT' &&
    hits.length > 0
  ) {
    if (event.target.closest?.('#reading')) return
    event.preventDefault()
    choose(
      Math.min(hits.length - 1, Math.max(0, chosen + (event.key === 'ArrowDown' ? 1 : -1))),
      true,
    )
  } else if (event.key === 'Enter' && event.target === $('ask') && chosen >= 0 && hits.length > 0) {
    event.preventDefault()
    $('reading').focus()
  }
})
// The models are known once a key is, where one is asked for.
if ('index' in document.documentElement.dataset)
  document.addEventListener('models', () => loadState().catch(() => {}))
