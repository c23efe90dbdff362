// The watermark: how far this node is known to be durable, kept apart from the journal so that a disk that was lost,
// swapped or rolled back is noticed at the next start. It never falls, and never exceeds what is synced (I9).

import { closeSync, fdatasyncSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { err, ok, type Result } from '../core/result.js';

export interface Watermark {
  /** Counts the starts of this node's journal: a fencing token. */
  readonly epoch: number;
  readonly journalId: string;
  /** The last durable sequence. */
  readonly sequence: number;
  /** Per round: money of live investments in minor units, and how many they are. */
  readonly rounds: readonly { readonly id: string; readonly admitted: number; readonly count: number }[];
  /** RFC 3339. */
  readonly at: string;
}

export interface WatermarkFailure {
  /**
   * `fenced`: a later epoch has been there, or another journal under this one: this process writes no watermark ever
   * again. `lower-sequence`: the stored one is higher. `unavailable`: nothing is known; the next one may be written.
   */
  readonly code: 'fenced' | 'lower-sequence' | 'unavailable';
  readonly message: string;
}

export interface WatermarkStore {
  /** The watermark as stored; null before the first. */
  read(): Promise<Result<Watermark | null, string>>;
  /** Stores it unless that would let an older epoch write, or the watermark fall. */
  write(watermark: Watermark): Promise<Result<void, WatermarkFailure>>;
}

/** Why `next` may not follow `last`, or null: the one rule, whatever stores it. */
export function watermarkRefusal(last: Watermark | null, next: Watermark): WatermarkFailure | null {
  if (last === null) return null;
  if (next.epoch < last.epoch) {
    return { code: 'fenced', message: `epoch ${next.epoch} is older than ${last.epoch}` };
  }
  if (next.journalId !== last.journalId) {
    // A journal that was made anew counts from its own start, under an epoch of its own.
    if (next.epoch > last.epoch) return null;
    return { code: 'fenced', message: `journal ${last.journalId} writes under epoch ${last.epoch} as well` };
  }
  if (next.sequence >= last.sequence) return null;
  return { code: 'lower-sequence', message: `sequence ${next.sequence} is below ${last.sequence}` };
}

/** The embedded twin: one small file, replaced whole and synced. The data directory's lock makes us its only writer. */
export class FileWatermarkStore implements WatermarkStore {
  readonly #file: string;
  #last: Watermark | null = null;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<Result<Watermark | null, string>> {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(null);
      return err(`the watermark cannot be read: ${(error as Error).message}`);
    }
    try {
      const value = JSON.parse(text) as Watermark;
      if (!Number.isSafeInteger(value.epoch) || !Number.isSafeInteger(value.sequence))
        throw new Error('wrong members');
      this.#last = value;
      return ok(value);
    } catch (error) {
      return err(`the watermark in ${this.#file} is damaged: ${(error as Error).message}`);
    }
  }

  async write(watermark: Watermark): Promise<Result<void, WatermarkFailure>> {
    const refusal = watermarkRefusal(this.#last, watermark);
    if (refusal !== null) return err(refusal);
    try {
      const fresh = `${this.#file}.new`;
      withFile(fresh, 'w', (fd) => {
        writeAll(fd, Buffer.from(JSON.stringify(watermark), 'utf8'));
        fdatasyncSync(fd);
      });
      renameSync(fresh, this.#file);
      withFile(path.dirname(this.#file), 'r', fsyncSync);
    } catch (error) {
      return err({
        code: 'unavailable',
        message: `the watermark cannot be written: ${(error as Error).message}`,
      });
    }
    this.#last = watermark;
    return ok(undefined);
  }
}

function withFile(file: string, flags: 'r' | 'w', work: (fd: number) => void): void {
  const fd = openSync(file, flags, 0o600);
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

/** A disk that is nearly full takes a part and says so only by the count. */
function writeAll(fd: number, bytes: Buffer): void {
  let done = 0;
  while (done < bytes.length) {
    const written = writeSync(fd, bytes, done, bytes.length - done);
    if (written <= 0) throw new Error('the disk takes no more bytes');
    done += written;
  }
}
