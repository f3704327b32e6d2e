// Shards from NATS JetStream. It carries names only, and may be lost whole: `finish` fills it again.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer, JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { Qwen3Error } from '../../errors.ts'
import type { ShardId } from '../manifest.ts'
import type { Claim, Counts, ShardSource } from '../source.ts'

export interface JetStreamSourceOptions {
  /** The job's name: its streams are `fleet-<name>` and `fleet-<name>-ended`. */
  job: string
  /** `nats://` or `tls://` */
  url: string
  /** After which a shard of a worker that says nothing goes to another, in milliseconds. @default 60,000 */
  leaseMs?: number | undefined
  /** How often a shard is handed out in all, then it counts as failed: 10 suits machines that are taken away. @default 3 */
  maxDeliveries?: number | undefined
}

const addedAtOnce = 500
// Not a divisor of a backoff: a server whose request ends just as a message is due again counts that delivery as
// the first (nats-server 2.9 and 2.10). The shard has one more attempt then.
const askMs = 1_300
const longestBackoffMs = 30_000

/** A message for each shard that is to be done, and one for each that ended; a subject holds one at most. */
export class JetStreamSource implements ShardSource {
  readonly #connection: NatsConnection
  readonly #client: JetStreamClient
  readonly #manager: JetStreamManager
  readonly #stream: string
  readonly #subject: string
  readonly #leaseMs: number
  readonly #maxDeliveries: number
  #consumer: Consumer | undefined

  private constructor(
    connection: NatsConnection,
    client: JetStreamClient,
    manager: JetStreamManager,
    { job, leaseMs = 60_000, maxDeliveries = 3 }: JetStreamSourceOptions,
  ) {
    this.#connection = connection
    this.#client = client
    this.#manager = manager
    this.#stream = `fleet-${job}`
    this.#subject = `fleet.${job}`
    this.#leaseMs = leaseMs
    this.#maxDeliveries = maxDeliveries
  }

  /** @throws Qwen3Error `ERR_FLEET` where the packages are not installed; what connecting throws. */
  static async open(options: JetStreamSourceOptions): Promise<JetStreamSource> {
    const { nats, js } = await peers()
    // It waits for a server that is away; nothing fails for it.
    const servers = options.url
    const connection = await nats.connect({
      servers,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
    })
    const manager = await js.jetstreamManager(connection)
    const source = new JetStreamSource(connection, js.jetstream(connection), manager, options)
    await source.#ensure()
    return source
  }

  async enqueue(shards: readonly ShardId[], again = false): Promise<void> {
    await this.#ensure()
    const ended = await this.#ended('>')
    for (let from = 0; from < shards.length; from += addedAtOnce) {
      await Promise.all(
        shards.slice(from, from + addedAtOnce).map(async (shard) => {
          const subjects = ['done', 'failed'].map((how) => `${this.#subject}.ended.${how}.${shard}`)
          const old = subjects.filter((subject) => ended.has(subject))
          if (old.length > 0 && !again) return
          for (const filter of old) await this.#manager.streams.purge(this.#endedStream, { filter })
          await this.#add(`todo.${shard}`, shard)
        }),
      )
    }
  }

  async claim(signal: AbortSignal): Promise<Claim | undefined> {
    for (;;) {
      signal.throwIfAborted()
      const message = await this.#next(signal)
      if (message) {
        if (message.info.deliveryCount <= this.#maxDeliveries) return this.#claimed(message)
        await this.#end(message, 'failed', 'handed out more often than allowed')
        continue
      }
      const { waiting, running } = await this.counts()
      if (waiting + running === 0) return undefined
    }
  }

  /** A shard that failed and waits for another attempt counts as running. */
  async counts(): Promise<Counts> {
    const isGone = (error: { message: string }) => {
      if (/not found/i.test(error.message)) return undefined
      throw error
    }
    const consumer = await this.#manager.consumers.info(this.#stream, 'workers').catch(isGone)
    const ended = await this.#manager.streams.info(this.#endedStream).catch(isGone)
    const failed = ended && ended.state.messages > 0 ? (await this.#ended('failed.>')).size : 0
    return {
      waiting: consumer?.num_pending ?? 0,
      running: consumer?.num_ack_pending ?? 0,
      done: (ended?.state.messages ?? 0) - failed,
      failed,
    }
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  get #endedStream(): string {
    return `${this.#stream}-ended`
  }

  /** Idempotent; a server that lost all has them again. */
  async #ensure(): Promise<void> {
    const { streams, consumers } = this.#manager
    const { RetentionPolicy, DiscardPolicy, StorageType, AckPolicy } = (await peers()).js
    // One message for a shard, and a second one is refused: that makes enqueueing idempotent.
    const single = {
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      storage: StorageType.File,
    }
    const toDo = { name: this.#stream, subjects: [`${this.#subject}.todo.*`] }
    const ended = { name: this.#endedStream, subjects: [`${this.#subject}.ended.*.*`] }
    await streams.add({ ...single, ...toDo, retention: RetentionPolicy.Workqueue })
    await streams.add({ ...single, ...ended, retention: RetentionPolicy.Limits })
    const found = await consumers.info(this.#stream, 'workers').catch(() => undefined)
    if (found) return
    await consumers.add(this.#stream, {
      durable_name: 'workers',
      ack_policy: AckPolicy.Explicit,
      ack_wait: this.#leaseMs * 1e6,
      max_ack_pending: -1,
    })
  }

  async #next(signal: AbortSignal): Promise<JsMsg | null> {
    const consumers = this.#client.consumers
    try {
      this.#consumer ??= await consumers.get(this.#stream, 'workers')
      const next = this.#consumer.next({ expires: askMs })
      let stop = () => {}
      const stopped = new Promise<never>((_, reject) => {
        stop = () => reject(signal.reason)
        signal.addEventListener('abort', stop, { once: true })
      })
      return await Promise.race([next, stopped])
        .catch((error) => {
          // A shard that comes now is for others.
          next.then((late) => late?.nak()).catch(() => {})
          throw error
        })
        .finally(() => signal.removeEventListener('abort', stop))
    } catch (error) {
      signal.throwIfAborted()
      if (this.#connection.isClosed()) throw error
      // The server is away, or began anew.
      this.#consumer = undefined
      await sleep(askMs, undefined, { signal }).catch(() => {})
      return null
    }
  }

  #claimed(message: JsMsg): Claim {
    const { deliveryCount } = message.info
    const lost = new AbortController()
    let renewedAt = performance.now()
    const renew = async () => {
      // A process that was frozen finds that its time is over; the server would not tell.
      if (performance.now() - renewedAt > this.#leaseMs) {
        clearInterval(timer)
        lost.abort(new Error(`The lease of ${shardOf(message)} ended`))
        return
      }
      const askedAt = performance.now()
      message.working()
      await this.#connection.flush().then(
        () => (renewedAt = askedAt),
        () => {},
      )
    }
    const timer = setInterval(() => void renew(), this.#leaseMs / 4)
    const settle = () => {
      clearInterval(timer)
      if (performance.now() - renewedAt > this.#leaseMs)
        lost.abort(new Error(`The lease of ${shardOf(message)} ended`))
      lost.signal.throwIfAborted()
    }
    return {
      shard: shardOf(message),
      attempt: deliveryCount,
      lost: lost.signal,
      progress: () => {},
      complete: async () => {
        settle()
        await this.#end(message, 'done', '')
      },
      fail: async (error, retry) => {
        settle()
        if (!retry || deliveryCount >= this.#maxDeliveries)
          return this.#end(message, 'failed', error.message)
        message.nak(Math.min(longestBackoffMs, 1_000 * 2 ** (deliveryCount - 1)))
        await this.#connection.flush()
      },
      release: async () => {
        settle()
        message.nak()
        await this.#connection.flush()
      },
    }
  }

  async #end(message: JsMsg, how: 'done' | 'failed', why: string): Promise<void> {
    await this.#add(`ended.${how}.${shardOf(message)}`, why)
    await message.ackAck({ timeout: this.#leaseMs })
  }

  /** Nothing happens where its subject has one. */
  async #add(subject: string, text: string): Promise<void> {
    await this.#client.publish(`${this.#subject}.${subject}`, text).catch((error: Error) => {
      if (!/maximum messages per subject/i.test(error.message)) throw error
    })
  }

  async #ended(below: string): Promise<Set<string>> {
    const filter = { subjects_filter: `${this.#subject}.ended.${below}` }
    const { state } = await this.#manager.streams.info(this.#endedStream, filter)
    return new Set(Object.keys(state.subjects ?? {}))
  }
}

const shardOf = (message: JsMsg): ShardId => message.subject.split('.').at(-1)!

async function peers() {
  try {
    return { nats: await import('@nats-io/transport-node'), js: await import('@nats-io/jetstream') }
  } catch (cause) {
    throw new Qwen3Error(
      'ERR_FLEET',
      'A queue on NATS needs the packages @nats-io/transport-node and @nats-io/jetstream, which are not installed',
      {},
      { remedy: 'npm install @nats-io/transport-node@3 @nats-io/jetstream@3', cause },
    )
  }
}
