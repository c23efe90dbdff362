// One admission shard as the front end sees it: a piscina pool of one thread that holds one long task, the ring between
// the two, and the ports for what is rare.

import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { assert } from '../core/assert.js';
import { BATCH_RING_BYTES, BatchRing } from '../workers/batch-ring.js';
import type {
  ControlAnswer,
  ControlMessage,
  ControlResult,
  ControlTask,
  ServeTask,
  ShardOptions,
} from '../workers/protocol.js';
import { oneThreadPool } from './one-thread-pool.js';

export interface ShardThreadModules {
  /** The shard has answered batches. */
  readonly onAnswered: () => void;
  /** The thread has died. */
  readonly onDeath: (reason: string) => void;
}

export class ShardThread {
  readonly ring: BatchRing;
  readonly #pool: Piscina;
  readonly #control: MessagePort;
  readonly #overflow: MessagePort;
  readonly #pending = new Map<number, (result: ControlResult<ControlTask> | null) => void>();
  readonly #serving: Promise<void>;
  #nextId = 0;
  #isOver = false;

  constructor(options: ShardOptions, { onAnswered, onDeath }: ShardThreadModules) {
    const memory = new SharedArrayBuffer(BATCH_RING_BYTES);
    this.ring = new BatchRing(memory);
    const die = (error: unknown): void => {
      if (this.#isOver) return;
      this.#end();
      onDeath(`an admission shard has died: ${String(error)}`);
    };
    this.#pool = oneThreadPool({
      worker: 'admission',
      workerData: options,
      concurrentTasks: 1,
      onError: die,
    });
    // A thread that ends by itself takes with it what only it knew; the one that piscina starts instead must not serve.
    this.#pool.on('workerDestroy', () => die('its thread has ended'));
    const control = new MessageChannel();
    const overflow = new MessageChannel();
    this.#control = control.port1;
    this.#overflow = overflow.port1;
    this.#control.on('message', ({ id, result }: ControlAnswer) => {
      this.#pending.get(id)?.(result);
      this.#pending.delete(id);
    });
    const task: ServeTask = { ring: memory, control: control.port2, overflow: overflow.port2 };
    const transferList = [control.port2, overflow.port2];
    this.#serving = (this.#pool.run(task, { transferList }) as Promise<void>).catch(die);
    void this.#listen(onAnswered);
  }

  /** Has the shard look at the ring and its port. */
  wake(): void {
    this.ring.wake();
  }

  /** Runs a task after the batches that were handed over before; null when the thread has died. */
  control<T extends ControlTask>(task: T): Promise<ControlResult<T> | null> {
    if (this.#isOver) return Promise.resolve(null);
    const id = this.#nextId++;
    const message: ControlMessage = { id, afterBatches: this.ring.published, task };
    return new Promise((resolve) => {
      this.#pending.set(id, (result) => resolve(result as ControlResult<T> | null));
      this.#control.postMessage(message);
      this.wake();
    });
  }

  /** The answers of the oldest batch that did not fit their slab. */
  takeOverflow(): ArrayBuffer {
    const received = receiveMessageOnPort(this.#overflow) as { message: ArrayBuffer } | undefined;
    assert(received !== undefined, 'answers that did not fit are sent before they are counted');
    return received.message;
  }

  /** Ends the thread, when it has answered what was handed over to it. */
  async close(): Promise<void> {
    if (!this.#isOver) {
      const message: ControlMessage = {
        id: this.#nextId++,
        afterBatches: this.ring.published,
        task: { kind: 'stop' },
      };
      this.#isOver = true;
      this.#control.postMessage(message);
      this.wake();
      await this.#serving;
    }
    this.#end();
    await this.#pool.destroy();
  }

  async #listen(onAnswered: () => void): Promise<void> {
    let seen = 0;
    // Ends with the thread.
    for (;;) {
      await this.ring.answeredBeyond(seen);
      if (this.#isOver) return;
      seen = this.ring.answered;
      onAnswered();
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#control.close();
    this.#overflow.close();
    for (const resolve of this.#pending.values()) resolve(null);
    this.#pending.clear();
  }
}
