// Micro suite: core/counters.ts, room reserved by compare-exchange from several threads at once.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Counters, counterBytes } from '../../src/core/counters.js';
import { CAP, ROUND, times } from './samples.js';
import type { Case, Suite, World } from './suite.js';

const THREADS = [1, 2, 4] as const;
/** A turn that takes longer has lost a thread. */
const TURN_TIMEOUT_MS = 30_000;

/** Slots of the control words, i32 each. */
export const SLOT = {
  /** The turn; threads wait for the next one. */
  turn: 0,
  /** Threads that are still at it. */
  busy: 1,
  /** 1 when a thread that wakes shall end. */
  end: 2,
} as const;

/** `workerData` of a thread. */
export interface ReserverOptions {
  /** Shared memory of `Counters`. */
  readonly counters: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  /** f64 per thread: milliseconds of its last turn. */
  readonly tookMs: SharedArrayBuffer;
  readonly thread: number;
  readonly round: number;
  /** Reservations of one unit in each turn. */
  readonly operations: number;
}

class Reservers {
  readonly #counters: Counters;
  readonly #control = new Int32Array(new SharedArrayBuffer(12));
  readonly #tookMs: Float64Array;
  readonly #workers: readonly Worker[];
  readonly #operations: number;
  /** Resolves when every thread runs. */
  readonly ready: Promise<unknown>;

  constructor(threads: number, operations: number) {
    const counters = new SharedArrayBuffer(counterBytes(1));
    const tookMs = new SharedArrayBuffer(8 * threads);
    this.#counters = new Counters(counters);
    this.#counters.restore(ROUND.number, { room: CAP, investors: 0, settled: 0, declined: 0 });
    this.#tookMs = new Float64Array(tookMs);
    this.#operations = operations;
    const control = this.#control.buffer as SharedArrayBuffer;
    const shared = { counters, control, tookMs, round: ROUND.number, operations };
    this.#workers = times(threads, (thread) => {
      const workerData: ReserverOptions = { ...shared, thread };
      return new Worker(new URL('cap-counter-thread.js', import.meta.url), { workerData });
    });
    this.ready = Promise.all(this.#workers.map((worker) => once(worker, 'online')));
  }

  /** Lets every thread reserve; the milliseconds that a thread took, on average. */
  turn(): number {
    const roomBefore = this.#counters.room(ROUND.number);
    const threads = this.#workers.length;
    Atomics.store(this.#control, SLOT.busy, threads);
    Atomics.add(this.#control, SLOT.turn, 1);
    Atomics.notify(this.#control, SLOT.turn);
    for (let busy = threads; busy > 0; busy = Atomics.load(this.#control, SLOT.busy)) {
      if (Atomics.wait(this.#control, SLOT.busy, busy, TURN_TIMEOUT_MS) === 'timed-out')
        throw new Error('a thread did not finish its turn');
    }
    const reserved = roomBefore - this.#counters.room(ROUND.number);
    if (reserved !== threads * this.#operations)
      throw new Error(`${reserved} reserved, not ${threads * this.#operations}`);
    return this.#tookMs.reduce((sum, ms) => sum + ms, 0) / threads;
  }

  async close(): Promise<void> {
    const exits = this.#workers.map((worker) => once(worker, 'exit'));
    Atomics.store(this.#control, SLOT.end, 1);
    Atomics.add(this.#control, SLOT.turn, 1);
    Atomics.notify(this.#control, SLOT.turn);
    await Promise.all(exits);
  }
}

export const CAP_COUNTER: Suite = {
  name: 'cap-counter',
  about: 'One reservation of room as its thread sees it, while the other threads reserve in the same round.',
  prepare: async (world: World) => {
    const operations = world.size(100_000, 500);
    const groups = THREADS.map((threads) => ({ threads, reservers: new Reservers(threads, operations) }));
    await Promise.all(groups.map(({ reservers }) => reservers.ready));
    return {
      cases: groups.map(
        ({ threads, reservers }): Case => ({
          name: threads === 1 ? '1 thread' : `${threads} threads at once`,
          operations,
          run: () => reservers.turn(),
        }),
      ),
      close: async () => {
        await Promise.all(groups.map(({ reservers }) => reservers.close()));
      },
    };
  },
};
