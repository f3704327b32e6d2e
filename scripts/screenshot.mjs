// The server's page in headless Chromium: light, dark, narrow, each view and each state; checks what must be on it.
// axe-core looks for what keeps people out. Needs Chromium (apt-get install chromium) and the packages of test/consumers.
// Usage: node scripts/screenshot.mjs FOLDER [RERANKER.gguf]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Embedder, Reranker } from '../dist/index.js'
import { Index, removeIndex } from '../dist/search/index.js'
import { serve } from '../dist/server/index.js'

const require = createRequire(new URL('../test/consumers/package.json', import.meta.url))
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')

const [folder = 'build/screenshots', reranker] = process.argv.slice(2)
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
mkdirSync(folder, { recursive: true })

const mini = await Embedder.load('mini')
const models = {
  mini,
  ...(reranker ? { reranker: await Reranker.load(reranker) } : {}),
}
const index = await Index.open(join(folder, `${process.pid}.index`), {
  embedder: mini,
  standIn: null,
})
await index.addRoot('docs')
await index.update()
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const problems = []
let pictures = 0

const looks = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'narrow', colorScheme: 'light', viewport: { width: 375, height: 740 } },
  { name: 'narrow-dark', colorScheme: 'dark', viewport: { width: 375, height: 740 } },
]
const odd = [
  '<b>bold</b> <img src=x onerror=alert(1)> <script>alert(1)</script>',
  'יש לך שלושים יום להחזיר את המוצר ולקבל את הכסף בחזרה.',
  'يمكنك إعادة المنتج خلال ثلاثين يومًا لاسترداد المبلغ.',
  'a long document about refunds and returns '.repeat(400),
  'nobreak'.repeat(60),
]
for (const { name, ...look } of looks) {
  const server = await serve({ models, port: 0 })
  const { page, take, expect, search, accessible } = await open(name, look, server)
  await page.waitForSelector('#results li')
  await page.waitForSelector('#found[aria-busy=false]')
  if (!reranker) expect(await page.textContent('#results li .document'), /refund/)
  await page.waitForFunction(() => / ms$/.test(document.querySelector('#cost').textContent))
  expect(await page.textContent('#cost'), /^[\d,]+ tokens, \d+ ms$/)
  expect(await page.textContent('#legend-end'), reranker ? /^A full bar is 1.$/ : /No reranker/)
  await take('ranked')
  await accessible('ranked')

  expect(await page.textContent('#address'), new RegExp(`^${server.url}/v1$`))
  expect(await page.textContent('#models'), /not a Qwen model/)
  for (const client of await page.$$eval('#client option', (all) => all.map((one) => one.text))) {
    await page.selectOption('#client', client)
    expect(await page.textContent('#snippet'), new RegExp(server.url))
  }
  await page.click('#copy-snippet')
  await page.waitForSelector('#copy-snippet >> text=/Copied|Press/')

  // Another query typed: what stands there is of the one before.
  await page.fill('#query', 'another')
  expect(await page.getAttribute('#found', 'aria-busy'), /true/)
  await page.press('#query', 'Enter')
  await page.waitForSelector('#found[aria-busy=false]')
  expect(await page.textContent('#asked'), /“another”/)

  // What was typed outlives a reload, and a link carries a query.
  await page.fill('#documents', 'kept one\nkept two')
  await page.click('#link')
  expect(page.url(), /#query=another.*documents=kept/)
  await page.goto('about:blank')
  await page.goto(server.url)
  await page.waitForSelector('#results li >> nth=1')
  expect(await page.inputValue('#documents'), /^kept one\nkept two$/)
  await page.goto(`${server.url}/#query=linked&documents=a%0Ab%0Ac`)
  await page.reload()
  await page.waitForSelector('#results li >> nth=2')
  expect(await page.textContent('#asked'), /“linked”/)
  const dropped = join(folder, 'dropped.txt')
  writeFileSync(dropped, 'from a file\nand another line\n')
  await page.setInputFiles('#file', dropped)
  await page.waitForFunction(() => document.querySelectorAll('#results li').length === 2)
  writeFileSync(dropped, Buffer.from([0, 1, 2, 255]))
  await page.setInputFiles('#file', dropped)
  await page.waitForSelector('#problem >> text=is not text')
  if (reranker) {
    const long = (i) => `document ${i} of many words `.repeat(8)
    await search('many words', Array.from({ length: 1200 }, (_, i) => long(i)).join('\n'))
    await page.waitForSelector('#doing >> text=/Reranked \\d+ of 1,200/')
    await take('progress')
    await page.click('#cancel')
    await page.waitForSelector('#asked >> text=Cancelled')
    expect(await page.getAttribute('#found', 'aria-busy'), /true/)
  }
  await page.click('#reset')
  await page.waitForFunction(() => document.querySelectorAll('#results li').length === 12)
  await page.waitForSelector('#found[aria-busy=false]')
  if (reranker) await page.waitForSelector('#results .moved')

  await page.click('#tab-map')
  await page.hover('#grid .cell >> nth=1')
  expect(await page.textContent('#pair'), /^−?\d\.\d+You can return.+To reset/)
  await take('map')
  await page.focus('#grid')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('End')
  expect(await page.getAttribute('#current', 'aria-label'), /: To reset.+ × The printer/)
  await take('map-keyboard')
  await accessible('map')

  await page.click('#tab-ranked')
  await page.click('summary')
  await search('refund', odd.join('\n'))
  await page.waitForFunction((count) => {
    return document.querySelectorAll('#results li').length === count
  }, odd.length)
  if (await page.$('#results b, #results img')) problems.push(`${name}: a document became markup`)
  await page.waitForFunction(() => / ms$/.test(document.querySelector('#cost').textContent))
  expect(await page.textContent('#cost'), / cut, /)
  await take('odd')
  await page.click('#tab-map')
  await page.hover('#grid .cell >> nth=8')
  await take('odd-map')
  await page.click('summary')

  const many = Array.from({ length: 5000 }, (_, i) => `Document ${i} tells of the year ${i}.`)
  await search('1984', many.join('\n'))
  await page.waitForFunction(() => /5,000/.test(document.querySelector('#map-note').textContent))
  await take('many-map')
  await page.click('#tab-ranked')
  expect(await page.textContent('#ranked-note'), /^The best 200 of 5,000/)
  await take('many', { fullPage: false })

  await search('  ', 'one\ntwo')
  await page.waitForSelector('#ranked-note >> text=No query yet')
  await take('no-query')
  await search('one', ' \n')
  await page.waitForSelector('#ranked-note >> text=No documents yet')
  await take('no-documents')
  await server.close()
  await search('one', 'one\ntwo')
  await page.waitForSelector('#problem >> text=The server does not answer')
  await take('stopped')
  await page.close()

  const locked = await serve({ models: { mini }, port: 0, keys: ['a key of the house'] })
  const visit = await open(`${name}-locked`, look, locked)
  await visit.page.waitForSelector('#problem >> text=asks for an API key')
  await visit.take('door')
  await visit.page.keyboard.type('not a key')
  await visit.page.keyboard.press('Enter')
  await visit.page.waitForSelector('#problem >> text=no API key of this server')
  await visit.page.fill('#key', 'a key of the house')
  await visit.page.keyboard.press('Enter')
  await visit.page.waitForSelector('#results li')
  await visit.take('unlocked')
  await visit.page.close()
  await locked.close()

  const searched = await serve({ models: { mini }, index, port: 0 })
  const files = await open(`${name}-files`, look, searched)
  await files.page.waitForSelector('#files:not([hidden])')
  files.expect(await files.page.textContent('#files-count'), /passages in \d+ files/)
  await files.page.fill('#ask', 'how do I keep a model loaded')
  await files.page.waitForSelector('.hit >> nth=1')
  await files.page.waitForSelector('#reading:not([hidden])')
  await files.page.keyboard.press('ArrowDown')
  await files.page.waitForSelector('#hits li:nth-child(2) .hit[aria-current]')
  await files.take('results')
  await files.accessible('results')
  await files.page.fill('#ask', '"no such phrase anywhere"')
  await files.page.waitForSelector('#hits-note >> text=Nothing matches')
  await files.take('nothing')
  await files.page.click('#view-models')
  await files.page.waitForSelector('#results li')
  await files.page.close()
  await searched.close()

  if (!reranker) continue
  const alone = await serve({ models: { reranker: models.reranker }, port: 0 })
  const ranks = await open(`${name}-alone`, look, alone)
  await ranks.page.waitForSelector('#results li')
  await ranks.take('ranked')
  await ranks.page.click('#tab-map')
  ranks.expect(await ranks.page.textContent('#map-note'), /No embedding model/)
  await ranks.page.close()
  await alone.close()
}
await browser.close()
await index.close()
await removeIndex(index.path)
await Promise.all(Object.values(models).map((model) => model.close()))

for (const problem of problems) console.error(problem)
console.log(
  problems.length === 0 ? `${pictures} pictures in ${folder}` : `${problems.length} problems`,
)
process.exitCode = problems.length === 0 ? 0 : 1

async function open(name, look, server) {
  const page = await (await browser.newContext(look)).newPage()
  page.on('console', (message) => {
    // A refusal and a stopped server are among what is asked for here.
    const isMeant = /401|ERR_CONNECTION_REFUSED/.test(message.text())
    if (message.type() === 'error' && !isMeant) problems.push(`${name}: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`))
  page.on('request', (request) => {
    if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(server.url)) {
      problems.push(`${name}: asked for ${request.url()}`)
    }
  })
  await page.goto(server.url)
  return {
    page,
    async take(what, options = { fullPage: true }) {
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      if (wide > 0) problems.push(`${name}-${what}: ${wide} pixels wider than the screen`)
      await page.screenshot({ path: join(folder, `${name}-${what}.png`), ...options })
      pictures++
    },
    /** https://github.com/dequelabs/axe-core: its rules for WCAG and good practice. */
    async accessible(what) {
      // The page's policy lets no script in but its own: this one comes from outside the page.
      const { violations } = await page.evaluate(`${axe}; axe.run()`)
      for (const { id, nodes } of violations) {
        problems.push(
          `${name}-${what}: axe ${id}: ${nodes
            .map((node) => node.html)
            .join(' | ')
            .slice(0, 300)}`,
        )
      }
    },
    expect(text, pattern) {
      if (!pattern.test(text)) problems.push(`${name}: ${text} is not like ${pattern}`)
    },
    async search(query, documents) {
      // Typing thousands of lines takes Chromium minutes.
      await page.$eval(
        '#documents',
        (field, text) => {
          field.value = text
          field.dispatchEvent(new Event('input'))
        },
        documents,
      )
      await page.fill('#query', query)
      await page.press('#query', 'Enter')
    },
  }
}
