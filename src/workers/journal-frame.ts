// A frame in the making: rows are encoded into one buffer that has room for the header in front, so that a batch goes
// to the disk in one write without a copy. One per thread, used again for every batch, in memory of its own or in the
// one that keeps the rows for the shard (recent-rows.ts).

import { assert } from '../core/assert.js';
import { FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES, frameBytes, sealFrame } from '../core/journal-format.js';
import {
  JOURNAL_FRAME_BYTES_MAX,
  JOURNAL_FRAME_ROWS_MAX,
  JOURNAL_ROUND_ROW_BYTES_MAX,
  JOURNAL_ROW_BYTES_MAX,
} from '../core/limits.js';
import { encodeRow, encodeVerdict } from '../core/row-codec.js';
import type { Row } from '../core/rows.js';
import type { Span } from '../core/span.js';

const INITIAL_BYTES = 65_536;

export class FrameBuilder {
  #own: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #buffer: Buffer = this.#own;
  #end = FRAME_HEADER_BYTES;
  #count = 0;

  /** Rows so far; also the index that the next one will have in the frame. */
  get count(): number {
    return this.#count;
  }

  /** What the frame takes on disk. */
  get bytes(): number {
    return frameBytes(this.#end - FRAME_HEADER_BYTES);
  }

  /** The frame's bytes, complete after `seal`; valid until the next row. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** True while another row of any kind fits. A full batch of verdicts always does. */
  get hasRoom(): boolean {
    const wanted = this.#end + JOURNAL_ROUND_ROW_BYTES_MAX + FRAME_ALIGN_BYTES;
    return this.#count < JOURNAL_FRAME_ROWS_MAX && wanted <= JOURNAL_FRAME_BYTES_MAX;
  }

  /** Where the next row will be in `buffer`. */
  get end(): number {
    return this.#end;
  }

  /** Forgets all rows, and makes the next frame in its own memory. */
  reset(): void {
    this.open(this.#own);
  }

  /** Forgets all rows, and makes the next frame at the start of `memory`, which must have room for it. */
  open(memory: Buffer): void {
    this.#buffer = memory;
    this.#end = FRAME_HEADER_BYTES;
    this.#count = 0;
  }

  /** Adds a verdict; `code` is one of VERDICT_CODES. */
  addVerdict(
    at: number,
    round: number,
    code: number,
    amount: number,
    extra: number,
    investor: Span,
    key: Span,
  ): void {
    this.#reserve(JOURNAL_ROW_BYTES_MAX);
    this.#end = encodeVerdict(this.#buffer, this.#end, at, round, code, amount, extra, investor, key);
    this.#count += 1;
  }

  /** Adds any row; its `sequence` is not looked at. */
  add(row: Row): void {
    this.#reserve(JOURNAL_ROUND_ROW_BYTES_MAX);
    this.#end = encodeRow(this.#buffer, this.#end, row);
    this.#count += 1;
  }

  /** Writes the header and answers the checksum. */
  seal(
    previousChecksum: number,
    firstSequence: number,
    epoch: number,
    durableSequence: number,
    at: number,
  ): number {
    const payloadLength = this.#end - FRAME_HEADER_BYTES;
    return sealFrame(
      this.#buffer,
      payloadLength,
      previousChecksum,
      firstSequence,
      this.#count,
      epoch,
      durableSequence,
      at,
    );
  }

  // With what the padding behind the last row may take.
  #reserve(bytes: number): void {
    const wanted = this.#end + bytes + FRAME_ALIGN_BYTES;
    assert(
      this.#count < JOURNAL_FRAME_ROWS_MAX && wanted <= JOURNAL_FRAME_BYTES_MAX,
      'a frame keeps to its bound',
    );
    if (wanted <= this.#buffer.length) return;
    assert(this.#buffer === this.#own, 'memory that was lent must have room for the frame');
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#end);
    this.#own = grown;
    this.#buffer = grown;
  }
}
