import { join } from 'node:path'
import { app, BrowserWindow, ipcMain, utilityProcess } from 'electron'
import { Embedder } from 'qwen3-embed'

const folder = import.meta.dirname
const texts = ['Berlin is the capital of Germany.', 'Bees carry pollen.', 'Bread is made of flour.']

// Not awaited: Electron is not ready before this module has run to its end.
app.whenReady().then(process.argv.includes('--vectors') ? printVectors : openWindow)

/** The model lives in a process of its own: what goes wrong in native code there leaves the app standing. */
function startSearch() {
  const child = utilityProcess.fork(join(folder, 'search.js'))
  const waiting = new Map()
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('The search process ended'))
  })
  let last = 0
  return (name, ...words) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject })
      child.postMessage({ id: last, name, words })
    })
}

function openWindow() {
  const ask = startSearch()
  ipcMain.handle('search', (_, query) => ask('search', query, texts))
  const preload = join(folder, 'preload.cjs')
  new BrowserWindow({ webPreferences: { preload } }).loadFile(join(folder, 'index.html'))
  app.on('window-all-closed', () => app.quit())
}

/** For scripts/electron-check.mjs. A model in the main process works too; its passes do not block the windows. */
async function printVectors() {
  const embedder = await Embedder.load('mini')
  const main = await embedder.embedDocuments(texts)
  const utility = await startSearch()('vectors', texts)
  const { electron, node } = process.versions
  const plain = (vectors) => vectors.map((vector) => Array.from(vector))
  const report = { electron, node, path: embedder.info.path }
  console.log(JSON.stringify({ ...report, texts, main: plain(main), utility: plain(utility) }))
  await embedder.close()
  app.quit()
}
