// Micro suite: a batch to another thread and back, without the work on it, by three ways.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { BATCH_BYTES_MAX } from '../../src/core/limits.js';
import type { Slabs } from './hand-off-piscina.js';
import type { Case, Suite } from './suite.js';

/** What the far end of the shared words reads and writes, i32 each. */
export const WORD = {
  /** The last batch that was handed over; -1 ends the thread. */
  asked: 0,
  /** The last one that was answered. */
  answered: 1,
} as const;

/** `workerData` of the bare thread: shared memory for WORD, or null when it serves its message port. */
export type HandOffOptions = SharedArrayBuffer | null;

interface Way {
  readonly case: Case;
  readonly close: () => Promise<unknown>;
}

const ANSWERS_BYTES = 262_144;

function newSlabs(): Slabs {
  return { requests: new ArrayBuffer(BATCH_BYTES_MAX), answers: new ArrayBuffer(ANSWERS_BYTES) };
}

function whole(slabs: Slabs): Slabs {
  if (slabs.requests.byteLength !== BATCH_BYTES_MAX) throw new Error('the slab did not come back whole');
  return slabs;
}

function byPiscina(name: string, atomics: 'disabled' | 'sync'): Way {
  const pool = new Piscina({
    filename: new URL('hand-off-piscina.js', import.meta.url).href,
    name: 'run',
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics,
    recordTiming: false,
  });
  let slabs = newSlabs();
  const run = async (): Promise<undefined> => {
    slabs = whole((await pool.run(slabs, { transferList: [slabs.requests, slabs.answers] })) as Slabs);
  };
  return { case: { name, operations: 1, async: true, run }, close: () => pool.destroy() };
}

function bareThread(options: HandOffOptions): Worker {
  return new Worker(new URL('hand-off-thread.js', import.meta.url), { workerData: options });
}

function byPort(name: string): Way {
  const worker = bareThread(null);
  let slabs = newSlabs();
  const run = async (): Promise<undefined> => {
    slabs = await new Promise<Slabs>((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (back: Slabs) => {
        worker.off('error', reject);
        resolve(whole(back));
      });
      worker.postMessage(slabs, [slabs.requests, slabs.answers]);
    });
  };
  const close = async () => {
    const exited = once(worker, 'exit');
    worker.postMessage(null);
    await exited;
  };
  return { case: { name, operations: 1, async: true, run }, close };
}

function bySharedWords(name: string): Way {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const worker = bareThread(words.buffer as SharedArrayBuffer);
  const run = async (): Promise<undefined> => {
    const before = Atomics.load(words, WORD.answered);
    Atomics.store(words, WORD.asked, before + 1);
    Atomics.notify(words, WORD.asked);
    // The far end may be late with the call that wakes for the batch before, so a wake proves nothing.
    while (Atomics.load(words, WORD.answered) === before) {
      const waited = Atomics.waitAsync(words, WORD.answered, before);
      if (waited.async) await waited.value;
    }
  };
  const close = async () => {
    const exited = once(worker, 'exit');
    Atomics.store(words, WORD.asked, -1);
    Atomics.notify(words, WORD.asked);
    await exited;
  };
  return { case: { name, operations: 1, async: true, run }, close };
}

export const HAND_OFF: Suite = {
  name: 'hand-off',
  about: 'One batch to an idle thread and back, nothing done with it: latency, not capacity.',
  prepare: () => {
    const ways = [
      byPiscina('piscina task, slabs transferred', 'disabled'),
      byPiscina('piscina task, its thread waits on atomics', 'sync'),
      byPort('message port, slabs transferred'),
      bySharedWords('shared words, Atomics.waitAsync (as the edge)'),
    ];
    return {
      cases: ways.map((way) => way.case),
      close: async () => {
        for (const { close } of ways) await close();
      },
    };
  },
};
