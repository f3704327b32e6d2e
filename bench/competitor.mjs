// Keeps every core busy until its parent goes.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

for (let i = 0; i < availableParallelism(); i++) new Worker('for (;;);', { eval: true })
process.on('disconnect', () => process.exit())
process.send('busy')
