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
  /** False when this process may not act as the owner of its rounds: then nothing is written. */
  readonly owns: () => boolean;
  /** A later owner has written, or writes. Called at most once. */
  readonly onFenced: (reason: string) => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logger: Logger;
}

export class WatermarkWriter {
  readonly #modules: WatermarkModules;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<boolean> = Promise.resolve(true);
  #last: { readonly sequence: number; readonly atMs: number } | null = null;
  #ended = false;
  #failures = 0;
  /** Writes that failed in a row: the first one is worth a line, and the end of it. */
  #failing = 0;

  constructor(modules: WatermarkModules) {
    this.#modules = modules;
  }

  /** The newest watermark that was stored, and when; null before the first. */
  get last(): { readonly sequence: number; readonly atMs: number } | null {
    return this.#last;
  }

  /** Writes that failed since the start. */
  get failures(): number {
    return this.#failures;
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

  /** Nothing is written ever again: this process is the owner no more. */
  end(): void {
    this.#ended = true;
    this.stop();
  }

  async #write(): Promise<boolean> {
    const { store, epoch, journalId, durable, rounds, clock, owns, onFenced, logger } = this.#modules;
    if (this.#ended || !owns()) return false;
    const sequence = durable();
    const atMs = clock();
    const at = new Date(atMs).toISOString();
    const written = await store.write({ epoch, journalId, sequence, rounds: rounds(), at });
    if (written.ok) {
      this.#last = { sequence, atMs };
      if (this.#failing > 0) logger.info({ failed: this.#failing }, 'watermark: written again');
      this.#failing = 0;
      return true;
    }
    const { code, message } = written.error;
    this.#failures++;
    if (code === 'fenced' && !this.#ended) {
      this.end();
      onFenced(`the watermark is refused: ${message}`);
    } else if (this.#failing++ === 0) logger.error({ reason: message }, 'watermark: not written');
    return false;
  }
}
