// How late a thread is: what a timer, a packet or a message waits for before it is looked at.

import {
  createHistogram,
  type Histogram,
  type IntervalHistogram,
  monitorEventLoopDelay,
  type RecordableHistogram,
} from 'node:perf_hooks';

/** Delays of one thread over the last window, in seconds. */
export interface LoopDelays {
  readonly p50S: number;
  readonly p99S: number;
  readonly maxS: number;
}

const RESOLUTION_MS = 10;
const WINDOW_MS = 10_000;

/** The delays of the running window, or of the one before while that has no samples. */
class DelayWindow {
  readonly #histogram: Histogram;
  /** What a sample holds beside the delay. */
  readonly #restS: number;
  #last: LoopDelays = { p50S: 0, p99S: 0, maxS: 0 };
  #windowEndsAtMs = 0;

  constructor(histogram: Histogram, restS: number) {
    this.#histogram = histogram;
    this.#restS = restS;
  }

  read(monotonicMs: number): LoopDelays {
    const histogram = this.#histogram;
    if (histogram.count > 0) {
      this.#last = {
        p50S: this.#delayS(histogram.percentile(50)),
        p99S: this.#delayS(histogram.percentile(99)),
        maxS: this.#delayS(histogram.max),
      };
    }
    if (monotonicMs >= this.#windowEndsAtMs) {
      histogram.reset();
      this.#windowEndsAtMs = monotonicMs + WINDOW_MS;
    }
    return this.#last;
  }

  #delayS(sampleNs: number): number {
    return Math.max(0, sampleNs / 1e9 - this.#restS);
  }
}

/** How late the event loop of this thread is. */
export class LoopDelayMonitor {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  // The histogram records the whole time between two ticks; the delay is what exceeds the interval that was asked for.
  readonly #window = new DelayWindow(this.#histogram, RESOLUTION_MS / 1e3);

  constructor() {
    this.#histogram.enable();
  }

  read(monotonicMs: number): LoopDelays {
    return this.#window.read(monotonicMs);
  }

  stop(): void {
    this.#histogram.disable();
  }
}

/** How long what was handed over waited for a thread that blocks on memory instead of turning an event loop. */
export class HandOffDelays {
  readonly #histogram: RecordableHistogram = createHistogram();
  readonly #window = new DelayWindow(this.#histogram, 0);

  record(waitedNs: number): void {
    this.#histogram.record(Math.max(1, Math.round(waitedNs)));
  }

  read(monotonicMs: number): LoopDelays {
    return this.#window.read(monotonicMs);
  }
}
