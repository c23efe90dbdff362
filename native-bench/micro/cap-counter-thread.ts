// A thread of the cap-counter suite: reserves as often as it is told, together with the others, and says how long it took.

import { workerData } from 'node:worker_threads';
import { Counters } from '../../src/core/counters.js';
import { type ReserverOptions, SLOT } from './cap-counter.js';

function reserveAll(options: ReserverOptions): void {
  const counters = new Counters(options.counters);
  const control = new Int32Array(options.control);
  const tookMs = new Float64Array(options.tookMs);
  let turn = 0;
  for (;;) {
    Atomics.wait(control, SLOT.turn, turn);
    turn = Atomics.load(control, SLOT.turn);
    if (Atomics.load(control, SLOT.end) !== 0) return;
    const startedMs = performance.now();
    for (let i = 0; i < options.operations; i++) {
      if (counters.reserve(options.round, 1) >= 0) throw new Error('no room in a round without bounds');
    }
    tookMs[options.thread] = performance.now() - startedMs;
    if (Atomics.sub(control, SLOT.busy, 1) === 1) Atomics.notify(control, SLOT.busy);
  }
}

reserveAll(workerData as ReserverOptions);
