// Frames of the journal, gathered until they make a batch worth a transaction of the index.

import { frameBytes, type JournalPosition } from '../core/journal-format.js';
import { forEachRow } from '../core/row-codec.js';
import type { Row } from '../core/rows.js';
import type { IndexApplier } from './index-apply.js';
import type { JournalFrame } from './journal-reader.js';

/** A whole frame, checksum and all, holds a row that cannot be: the journal is damaged. */
export class RowDamage extends Error {
  override readonly name = 'RowDamage';
}

export class PendingRows {
  readonly #applier: IndexApplier;
  #rows: Row[] = [];
  /** Behind the last frame that was added. */
  #position: JournalPosition;

  /** The frames to add follow the applier's mark. */
  constructor(applier: IndexApplier) {
    this.#applier = applier;
    this.#position = applier.mark.position;
  }

  /** Rows added and not yet applied. */
  get count(): number {
    return this.#rows.length;
  }

  /** Adds a frame's rows. Throws RowDamage. */
  add(frame: JournalFrame): void {
    const { segment, offset, header, payload } = frame;
    const read = forEachRow(payload, header.firstSequence, header.count, (row) => this.#rows.push(row));
    if (!read.ok)
      throw new RowDamage(`journal damaged in segment ${segment} at offset ${offset}: ${read.error}`);
    this.#position = {
      segment,
      offset: offset + frameBytes(header.payloadLength),
      nextSequence: header.firstSequence + header.count,
      previousChecksum: header.checksum,
    };
  }

  /** Applies what was added. When it throws, nothing has changed and it may be called again. */
  apply(): void {
    if (this.#rows.length === 0) return;
    this.#applier.apply(this.#rows, this.#position);
    this.#rows = [];
  }
}
