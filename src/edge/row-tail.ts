// Follows the journal behind a sequence that others raise, and writes its rows somewhere, in chunks of whole frames.
//
// Several chunks are on their way at a time and may arrive in any order; the tail has come as far as the first one that
// has not arrived. A chunk that fails is written again for ever, with backoff: what it holds is in the journal, and
// nobody else will write it. Bounded by rows, so that whoever reads what was written knows how far ahead of a hole
// there can be anything.

import { describeDamage, type JournalPosition } from '../core/journal-format.js';
import {
  REPLICATION_RETRY_MAX_MS,
  REPLICATION_RETRY_MIN_MS,
  REPLICATION_WINDOW_ROWS,
} from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { forEachRow } from '../core/row-codec.js';
import type { Row } from '../core/rows.js';
import type { RowsFailure, RowsWritten } from '../engines/rows.js';
import { JournalReader } from '../workers/journal-reader.js';

/** A row with the epoch of its frame. */
export interface TailRow {
  readonly row: Row;
  readonly epoch: number;
}

export interface RowTailOptions {
  readonly journalDir: string;
  readonly journalId: string;
  readonly from: JournalPosition;
  /** Rows up to here may be read: they are synced. */
  readonly limit: () => number;
  /** Chunks end with the frame that reaches this many rows. */
  readonly chunkRows: number;
  /** Chunks on their way at a time. */
  readonly chunksMax: number;
  /** Called with each epoch before the first of its rows is written; false ends the tail. May take its time. */
  readonly onEpoch: (epoch: number, firstSequence: number) => Promise<boolean>;
  readonly write: (rows: readonly TailRow[]) => Promise<Result<RowsWritten, RowsFailure>>;
  /** Everything before this position has been written. */
  readonly onAdvance: (position: JournalPosition) => void;
  /** A write came back; null: it worked. */
  readonly onWritten: (failure: RowsFailure | null, written: RowsWritten | null) => void;
  /** Resolves after about so many milliseconds, or when the tail is being stopped. */
  readonly delay: (ms: number) => Promise<void>;
  /** 0 to 1, for the jitter. */
  readonly random: () => number;
}

interface Chunk {
  readonly rows: readonly TailRow[];
  /** Behind its last frame. */
  readonly end: JournalPosition;
  /** When its first frame was decided. */
  readonly atMs: number;
  arrived: boolean;
}

export class RowTail {
  readonly #options: RowTailOptions;
  readonly #reader: JournalReader;
  /** In order of the journal; the first has not arrived. */
  readonly #chunks: Chunk[] = [];
  #position: JournalPosition;
  #epoch = 0;
  #rowsInFlight = 0;
  #filling: Promise<string | null> | null = null;
  #stopped = false;

  constructor(options: RowTailOptions) {
    this.#options = options;
    this.#position = options.from;
    this.#reader = new JournalReader(options.journalDir, options.journalId, options.from);
  }

  /** Everything before it has been written. */
  get position(): JournalPosition {
    return this.#position;
  }

  get rowsInFlight(): number {
    return this.#rowsInFlight;
  }

  /** When the oldest row on its way was decided, milliseconds since the epoch; 0: none is. */
  get oldestAtMs(): number {
    return this.#chunks[0]?.atMs ?? 0;
  }

  /** All that may be read has been written. */
  get isCaughtUp(): boolean {
    return this.#position.nextSequence > this.#options.limit();
  }

  /**
   * Sends off what can be sent off now; call it whenever there may be more. An error is why the journal cannot be
   * followed any further, or that an epoch was turned down.
   */
  fill(): Promise<string | null> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  /** Sends nothing more off, and tries nothing again. */
  stop(): void {
    this.#stopped = true;
    this.#reader.close();
  }

  async #fill(): Promise<string | null> {
    const { chunksMax, onEpoch } = this.#options;
    // Each round sends a chunk off, and there is a bound on those.
    while (
      !this.#stopped &&
      this.#chunks.length < chunksMax &&
      this.#rowsInFlight < REPLICATION_WINDOW_ROWS
    ) {
      const read = this.#read();
      if (!read.ok) return read.error;
      const chunk = read.value;
      if (chunk === null) return null;
      this.#chunks.push(chunk);
      this.#rowsInFlight += chunk.rows.length;
      for (const { row, epoch } of chunk.rows) {
        if (epoch === this.#epoch) continue;
        if (!(await onEpoch(epoch, row.sequence))) return `epoch ${epoch} may not be written`;
        this.#epoch = epoch;
      }
      void this.#deliver(chunk);
    }
    return null;
  }

  /** The next frames up to a chunk; null when there are none. */
  #read(): Result<Chunk | null, string> {
    const { limit, chunkRows } = this.#options;
    const rows: TailRow[] = [];
    let atMs = 0;
    while (rows.length < chunkRows) {
      const read = this.#reader.next(limit());
      if (!read.ok) return err(describeDamage(read.error));
      if (read.value === null) break;
      const { header, payload } = read.value;
      if (rows.length === 0) atMs = header.at;
      const { epoch, firstSequence, count } = header;
      const visited = forEachRow(payload, firstSequence, count, (row) => rows.push({ row, epoch }));
      if (!visited.ok) return err(`the journal holds a frame that cannot be read: ${visited.error}`);
    }
    return ok(rows.length === 0 ? null : { rows, end: this.#reader.position(), atMs, arrived: false });
  }

  async #deliver(chunk: Chunk): Promise<void> {
    const { write, onWritten, delay, random } = this.#options;
    let wait = REPLICATION_RETRY_MIN_MS;
    // Ends with the store's answer or with the process: the rows are owed.
    while (!this.#stopped) {
      const written = await write(chunk.rows);
      if (written.ok) {
        onWritten(null, written.value);
        chunk.arrived = true;
        this.#advance();
        return;
      }
      onWritten(written.error, null);
      await delay(wait * (1 + random() / 2));
      wait = Math.min(wait * 2, REPLICATION_RETRY_MAX_MS);
    }
  }

  #advance(): void {
    if (this.#chunks[0]?.arrived !== true) return;
    while (this.#chunks[0]?.arrived === true) {
      const chunk = this.#chunks.shift()!;
      this.#rowsInFlight -= chunk.rows.length;
      this.#position = chunk.end;
    }
    this.#options.onAdvance(this.#position);
  }
}
