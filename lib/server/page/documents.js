// What was typed: kept in this browser across reloads, read from a dropped file, and carried by a link.
const $ = (id) => document.getElementById(id)
const place = 'qwen3-embed.documents'

/** Characters of documents that a link carries: more makes addresses that programs cut. */
const linkChars = 4_000

/** Bytes of a file that is dropped: what a text area shows without stalling. */
const largestFile = 2 << 20

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

function stored() {
  try {
    return localStorage.getItem(place)
  } catch {
    // A browser that keeps nothing.
    return null
  }
}

function keep() {
  try {
    localStorage.setItem(place, $('documents').value)
  } catch {
    // Too large, or not allowed: it stays on the page.
  }
}

/** A link's query and documents go before those of this browser. */
function restore() {
  const linked = new URLSearchParams(location.hash.slice(1))
  $('documents').value = linked.get('documents') ?? stored() ?? examples.join('\n')
  for (const name of ['query', 'instruction']) {
    if (linked.has(name)) $(name).value = linked.get(name)
  }
}

function link() {
  const parameters = new URLSearchParams()
  for (const name of ['query', 'instruction', 'documents']) {
    const { value } = $(name)
    if (value && (name !== 'documents' || value.length <= linkChars)) parameters.set(name, value)
  }
  return `${location.origin}${location.pathname}#${parameters}`
}

async function take(file) {
  if (!file) return
  if (file.size > largestFile) return tell(`${file.name} is larger than 2 MB.`)
  const text = await file.text()
  if (text.includes('\0') || text.includes('\ufffd'))
    return tell(`${file.name} is not text in UTF-8.`)
  $('documents').value = text.replace(/\r\n?/g, '\n').trim()
  $('documents').dispatchEvent(new Event('input'))
  $('input').requestSubmit()
}

function tell(problem) {
  $('problem').textContent = problem
  $('problem').hidden = false
}

restore()
$('documents').addEventListener('input', keep)
$('link').addEventListener('click', () => {
  history.replaceState(null, '', link())
  $('link').dispatchEvent(new CustomEvent('copy-text', { detail: link(), bubbles: true }))
})
$('reset').addEventListener('click', () => {
  $('documents').value = examples.join('\n')
  $('documents').dispatchEvent(new Event('input'))
  $('input').requestSubmit()
})
$('file').addEventListener('change', ({ target }) => {
  take(target.files[0])
  // The same file may be chosen again.
  target.value = ''
})
for (const type of ['dragenter', 'dragover']) {
  document.addEventListener(type, (event) => {
    event.preventDefault()
    $('documents').classList.add('dropping')
  })
}
for (const type of ['dragleave', 'drop']) {
  document.addEventListener(type, () => $('documents').classList.remove('dropping'))
}
document.addEventListener('drop', (event) => {
  event.preventDefault()
  take(event.dataTransfer.files[0])
})
