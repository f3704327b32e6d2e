// The server's page in headless Chromium: light, dark, narrow, each view; checks what must be on it.
// Needs Chromium and playwright-core: apt-get install chromium && npm install --no-save playwright-core
// Usage: node scripts/screenshot.mjs FOLDER [RERANKER.gguf]
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { Embedder, Reranker } from '../dist/index.js'
import { serve } from '../dist/server/index.js'

const [folder = 'build/screenshots', reranker] = process.argv.slice(2)
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
mkdirSync(folder, { recursive: true })

const models = {
  mini: await Embedder.load('mini'),
  ...(reranker ? { reranker: await Reranker.load(reranker) } : {}),
}
const server = await serve({ models, port: 0 })
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const problems = []

const looks = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'narrow', colorScheme: 'light', viewport: { width: 360, height: 740 } },
]
for (const { name, ...look } of looks) {
  const page = await (await browser.newContext(look)).newPage()
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`${name}: console: ${message.text()}`)
  })
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`))
  page.on('request', (request) => {
    if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith(server.url)) {
      problems.push(`${name}: asked for ${request.url()}`)
    }
  })
  await page.goto(server.url)
  await page.waitForSelector('#results li')
  expect(name, await page.textContent('#results li .document'), /refund/, reranker)
  expect(name, await page.textContent('#cost'), /^[\d,]+ tokens, \d+ ms$/)
  await page.screenshot({ path: join(folder, `${name}-ranked.png`), fullPage: true })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (wide > 0) problems.push(`${name}: ${wide} pixels wider than the screen`)
  await page.click('#tab-map')
  await page.hover('#grid .cell:nth-child(2)')
  expect(name, await page.textContent('#cell'), /^\S+: .+ × .+$/)
  await page.screenshot({ path: join(folder, `${name}-map.png`), fullPage: true })
  await page.fill('#documents', '<b>bold</b>\nsecond')
  await page.fill('#query', 'second')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.querySelectorAll('#results li').length === 2)
  if (await page.$('#results b')) problems.push(`${name}: a document became markup`)
}
await browser.close()
await server.close()
await Promise.all(Object.values(models).map((model) => model.close()))

for (const problem of problems) console.error(problem)
console.log(problems.length === 0 ? `Six pictures in ${folder}` : `${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1

function expect(name, text, pattern, isRandom = false) {
  if (!isRandom && !pattern.test(text)) problems.push(`${name}: ${text} is not like ${pattern}`)
}
