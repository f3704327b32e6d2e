import { join } from 'node:path'
import { app, BrowserWindow, ipcMain, utilityProcess } from 'electron'
import { Embedder, similarity } from 'qwen3-embed'

const folder = import.meta.dirname
const texts = ['Berlin is the capital of Germany.', 'Bees carry pollen.', 'Bread is made of flour.']

// Not awaited: Electron is not ready before this module has run to its end.
app.whenReady().then(process.argv.includes('--vectors') ? printVectors : openWindow)

/** The model computes in a utility process: what goes wrong in native code there leaves the app standing. */
function openWindow() {
  const loading = Embedder.load('mini', { isolation: 'process', idleMs: 300_000 })
  ipcMain.handle('search', async (_, query) => {
    const embedder = await loading
    const question = await embedder.embedQuery(query)
    const vectors = await embedder.embedDocuments(texts)
    return texts
      .map((text, i) => ({ text, score: similarity(question, vectors[i]) }))
      .sort((a, b) => b.score - a.score)
  })
  const preload = join(folder, 'preload.cjs')
  new BrowserWindow({ webPreferences: { preload } }).loadFile(join(folder, 'index.html'))
  app.on('window-all-closed', () => app.quit())
}

/** For scripts/electron-check.mjs: in this process, isolated, isolated after a death, and in a utility process of ours. */
async function printVectors() {
  const embedder = await Embedder.load('mini')
  const main = await embedder.embedDocuments(texts)
  const apart = await Embedder.load('mini', { isolation: 'process' })
  const isolated = await apart.embedDocuments(texts)
  const { pid } = apart.stats.process
  process.kill(pid, 'SIGKILL')
  const again = await apart.embedDocuments(texts)
  const own = utilityProcess.fork(join(folder, 'worker.js'))
  const utility = await new Promise((resolve, reject) => {
    own.on('message', resolve)
    own.on('exit', () => reject(new Error('The worker ended')))
    own.postMessage(texts)
  })
  const { electron, node } = process.versions
  const plain = (vectors) => vectors.map((vector) => Array.from(vector))
  const report = {
    electron,
    node,
    path: embedder.info.path,
    restarts: apart.stats.process.restarts,
  }
  const vectors = { main, isolated, again, utility }
  const all = Object.entries(vectors).map(([name, found]) => [name, plain(found)])
  console.log(JSON.stringify({ ...report, texts, vectors: Object.fromEntries(all) }))
  await Promise.all([embedder.close(), apart.close()])
  app.quit()
}
