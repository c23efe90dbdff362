// Writes the watermark each second: what is durable here, told to a place that does not die with the journal's disk.

import type { Logger } from 'pino';
import { WATERMARK_MS } from '../core/limits.js';
import type { Watermark, WatermarkStore } from '../engines/watermark.js';

export interface WatermarkModules {
  readonly store: WatermarkStore;
  readonly epoch: number;
  readonly journalId: string;
  /** Newest synced sequence; read before the sums, so that the mark never says more than the disk. */
  readonly durable: () => number;
  readonly rounds: () => Watermark['rounds'];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logger: Logger;
}

export class WatermarkWriter {
  readonly #modules: WatermarkModules;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<boolean> = Promise.resolve(true);
  #last: { readonly sequence: number; readonly atMs: number } | null = null;

  constructor(modules: WatermarkModules) {
    this.#modules = modules;
  }

  /** The newest watermark that was stored, and when; null before the first. */
  get last(): { readonly sequence: number; readonly atMs: number } | null {
    return this.#last;
  }

  start(): void {
    this.#timer = setInterval(() => void this.write(), WATERMARK_MS);
    this.#timer.unref();
  }

  /** Stores what is durable now; false when it could not be stored. One at a time. */
  write(): Promise<boolean> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** Ends the timer; the last `write` is the caller's. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #write(): Promise<boolean> {
    const { store, epoch, journalId, durable, rounds, clock, logger } = this.#modules;
    const sequence = durable();
    const atMs = clock();
    const written = await store.write({
      epoch,
      journalId,
      sequence,
      rounds: rounds(),
      at: new Date(atMs).toISOString(),
    });
    if (written.ok) this.#last = { sequence, atMs };
    else logger.error({ reason: written.error }, 'watermark: not written');
    return written.ok;
  }
}
