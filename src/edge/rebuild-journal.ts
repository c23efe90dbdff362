// Writes a journal of its own in a fresh directory, row by row: frames of one epoch each, synced one by one.

import { type JournalPosition, journalStart } from '../core/journal-format.js';
import { REBUILD_FRAME_BYTES, REBUILD_FRAME_ROWS } from '../core/limits.js';
import type { Row } from '../core/rows.js';
import { FrameBuilder } from '../workers/journal-frame.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../workers/journal-head.js';
import { createJournal } from '../workers/journal-segments.js';
import { JournalWriter } from '../workers/journal-writer.js';

export class JournalBuilder {
  readonly journalId: string;
  readonly #dir: string;
  readonly #segmentBytes: number;
  readonly #head = new JournalHead(new SharedArrayBuffer(JOURNAL_HEAD_BYTES));
  readonly #frame = new FrameBuilder();
  #writer: JournalWriter | null = null;
  #epoch = 0;
  /** When the first row of the frame was decided. */
  #atMs = 0;

  /** Makes the directory, which must not be there, and its first segment. */
  constructor(dir: string, segmentBytes: number) {
    this.#dir = dir;
    this.#segmentBytes = segmentBytes;
    this.journalId = createJournal(dir, segmentBytes);
    this.#head.start(this.journalId, journalStart(this.journalId), 0);
  }

  /** Behind the last row that is synced. */
  get position(): JournalPosition {
    const { segment, offset, nextSequence, previousChecksum } = this.#head;
    return { segment, offset, nextSequence, previousChecksum };
  }

  /** Takes the next row; epochs never fall. It is synced with the next ones, or by `flush`. */
  add(row: Row, epoch: number): void {
    const isFull = this.#frame.count >= REBUILD_FRAME_ROWS || this.#frame.bytes >= REBUILD_FRAME_BYTES;
    if (epoch !== this.#epoch || isFull) this.flush();
    this.#epoch = epoch;
    if (this.#frame.count === 0) this.#atMs = row.at;
    this.#frame.add(row);
  }

  /** Syncs what was added. Throws what the disk says. */
  flush(): void {
    if (this.#frame.count === 0) return;
    // A writer is of one epoch; there are few of those.
    this.#writer?.close();
    this.#writer = new JournalWriter(this.#dir, this.#head, {
      segmentBytes: this.#segmentBytes,
      epoch: this.#epoch,
    });
    this.#writer.append(this.#frame, this.#atMs);
    this.#frame.reset();
  }

  /** Closes the files; what was not flushed is given up. */
  close(): void {
    this.#writer?.close();
    this.#writer = null;
  }
}
