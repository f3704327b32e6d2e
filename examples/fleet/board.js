// The queue in a browser: every shard, its attempts and its error.
//
//   npm install @bull-board/api @bull-board/express express bullmq ioredis
//   node board.js JOB_NAME redis://127.0.0.1:6379
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import { Queue } from 'bullmq'
import express from 'express'
import { Redis } from 'ioredis'

const [job, url] = process.argv.slice(2)
const connection = new Redis(url, { maxRetriesPerRequest: null })
const queue = new Queue(`fleet-${job}`, { connection })
const serverAdapter = new ExpressAdapter()
createBullBoard({ queues: [new BullMQAdapter(queue, { readOnlyMode: true })], serverAdapter })
const server = express()
  .use('/', serverAdapter.getRouter())
  .listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
server.once('listening', () => console.log(`http://127.0.0.1:${server.address().port}`))
