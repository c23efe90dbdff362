// How late a thread's event loop is: what a timer, a packet or a message waits for before it is looked at.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** Delays of one thread over the last window, in seconds. */
export interface LoopDelays {
  readonly p50S: number;
  readonly p99S: number;
  readonly maxS: number;
}

const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;

export class LoopDelayMonitor {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #last: LoopDelays = { p50S: 0, p99S: 0, maxS: 0 };
  #windowEndsAtMs = 0;

  constructor() {
    this.#histogram.enable();
  }

  /** The delays of the running window, or of the one before while that has no samples. */
  read(monotonicMs: number): LoopDelays {
    const histogram = this.#histogram;
    if (histogram.count > 0) {
      this.#last = {
        p50S: delayS(histogram.percentile(50)),
        p99S: delayS(histogram.percentile(99)),
        maxS: delayS(histogram.max),
      };
    }
    if (monotonicMs >= this.#windowEndsAtMs) {
      histogram.reset();
      this.#windowEndsAtMs = monotonicMs + WINDOW_MS;
    }
    return this.#last;
  }

  stop(): void {
    this.#histogram.disable();
  }
}

/** The histogram records the whole time between two ticks; the delay is what exceeds the interval that was asked for. */
function delayS(betweenTicksNs: number): number {
  return Math.max(0, betweenTicksNs / 1e9 - RESOLUTION_MS / 1e3);
}
