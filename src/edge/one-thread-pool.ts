// A piscina pool of exactly one thread: which thread gets a task is then not a question, and tasks keep their order.

import { Piscina } from 'piscina';
import { THREAD_YOUNG_GENERATION_MB } from '../core/limits.js';

/** Of `workers/`, but for the one that speaks to an engine. */
const FILES = {
  admission: '../workers/admission.js',
  indexer: '../workers/indexer.js',
  upkeep: '../workers/upkeep.js',
  events: '../workers/events.js',
  replicator: './replicator-thread.js',
} as const;

export interface OneThreadPoolOptions {
  /** Which thread: a compiled file that exports `run`. */
  readonly worker: keyof typeof FILES;
  readonly workerData: unknown;
  /** Tasks at the thread at once; more than one is for tasks that answer before they yield. */
  readonly concurrentTasks: number;
  /** The thread has died, or could not start. */
  readonly onError: (error: unknown) => void;
}

export function oneThreadPool({
  worker,
  workerData,
  concurrentTasks,
  onError,
}: OneThreadPoolOptions): Piscina {
  const pool = new Piscina({
    filename: new URL(FILES[worker], import.meta.url).href,
    name: 'run',
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: concurrentTasks,
    idleTimeout: Number.POSITIVE_INFINITY,
    // The threads have timers, which the default would keep from firing between tasks.
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: { maxYoungGenerationSizeMb: THREAD_YOUNG_GENERATION_MB },
    workerData,
  });
  pool.on('error', onError);
  return pool;
}
