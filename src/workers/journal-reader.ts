// Reads frames in order, from a position on, while others append. For the index, the publisher, the audit and the
// recovery. A reader is told how far the disk is known to have the journal and never looks further; what it finds up to
// there must be whole, next in sequence and chained, else it is damage.

import fs from 'node:fs';
import {
  decodeFrameHeader,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameBytes,
  frameIsWhole,
  type JournalDamage,
  type JournalPosition,
  SEGMENT_HEADER_BYTES,
} from '../core/journal-format.js';
import { JOURNAL_READ_BYTES } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { openSegment, readFully } from './journal-segments.js';

export interface JournalFrame {
  readonly segment: number;
  readonly offset: number;
  readonly header: FrameHeader;
  /** The rows, for `forEachRow`; a view that holds until the reader is used again. */
  readonly payload: Buffer;
}

/** A reader at the tail asks for little, and for twice as much each time while there is more. */
const READ_BYTES_MIN = 65_536;

export class JournalReader {
  readonly #dir: string;
  readonly #journalId: string;
  #fd = -1;
  #segment: number;
  #offset: number;
  #segmentBytes = 0;
  #nextSequence: number;
  #previousChecksum: number;
  /** Bytes #from..#to of the open segment are at the start of #buffer. They may be older than the file. */
  #buffer = Buffer.allocUnsafeSlow(READ_BYTES_MIN);
  #from = 0;
  #to = 0;
  #readBytes = READ_BYTES_MIN;

  /** Opens nothing yet; `position` must be one that a reader, a recovery or `journalStart` gave. */
  constructor(dir: string, journalId: string, position: JournalPosition) {
    this.#dir = dir;
    this.#journalId = journalId;
    this.#segment = position.segment;
    this.#offset = position.offset;
    this.#nextSequence = position.nextSequence;
    this.#previousChecksum = position.previousChecksum;
  }

  /** Behind the last frame that `next` gave. */
  position(): JournalPosition {
    return {
      segment: this.#segment,
      offset: this.#offset,
      nextSequence: this.#nextSequence,
      previousChecksum: this.#previousChecksum,
    };
  }

  /**
   * The next frame, or null when all up to `durableSequence` has been read. With Infinity it reads what is there:
   * then the error is how the journal ends, and whether that is damage is for the caller to find out.
   */
  next(durableSequence: number): Result<JournalFrame | null, JournalDamage> {
    if (this.#nextSequence > durableSequence) {
      this.#readBytes = READ_BYTES_MIN;
      return ok(null);
    }
    // What was read ahead may be from before the append: only bytes that are read now can prove damage.
    let found = this.#open(this.#segment) ?? this.#frameHere();
    if (typeof found === 'string') {
      this.#to = this.#from;
      found = this.#open(this.#segment) ?? this.#frameHere();
    }
    if (typeof found === 'string') found = this.#frameInNextSegment() ?? found;
    if (typeof found === 'string') {
      return err({
        segment: this.#segment,
        offset: this.#offset,
        expectedSequence: this.#nextSequence,
        reason: found,
      });
    }
    this.#offset += frameBytes(found.header.payloadLength);
    this.#nextSequence += found.header.count;
    this.#previousChecksum = found.header.checksum;
    return ok(found);
  }

  /** Closes the file; `next` opens it again. */
  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#from = 0;
    this.#to = 0;
  }

  /** Opens a segment unless it is open; a string says why it cannot be used. */
  #open(index: number): string | null {
    if (this.#fd >= 0) return null;
    const opened = openSegment(this.#dir, index, 'r', this.#journalId);
    if (!opened.ok) return opened.error;
    if (opened.value === null) return 'segment is missing';
    this.#fd = opened.value.fd;
    this.#segmentBytes = opened.value.header.segmentBytes;
    return null;
  }

  /** The frame at the current place, or why there is none. */
  #frameHere(): JournalFrame | string {
    if (!this.#have(FRAME_HEADER_BYTES)) return 'segment ends without a further frame';
    const header = decodeFrameHeader(this.#buffer, this.#offset - this.#from);
    if (header === null) return 'no frame';
    const bytes = frameBytes(header.payloadLength);
    if (!this.#have(bytes)) return 'frame passes the end of its segment';
    const start = this.#offset - this.#from;
    if (!frameIsWhole(this.#buffer, start, header)) return 'frame fails its checksum';
    if (header.firstSequence !== this.#nextSequence) return `frame is of sequence ${header.firstSequence}`;
    if (header.previousChecksum !== this.#previousChecksum) return 'frame does not follow the one before it';
    const payloadStart = start + FRAME_HEADER_BYTES;
    return {
      segment: this.#segment,
      offset: this.#offset,
      header,
      payload: this.#buffer.subarray(payloadStart, payloadStart + header.payloadLength),
    };
  }

  /** The frame that follows when this segment is full; null and nothing changed when there is none. */
  #frameInNextSegment(): JournalFrame | null {
    const { segment, offset } = this.position();
    this.close();
    this.#segment = segment + 1;
    this.#offset = SEGMENT_HEADER_BYTES;
    const found = this.#open(this.#segment) ?? this.#frameHere();
    if (typeof found !== 'string') return found;
    this.close();
    this.#segment = segment;
    this.#offset = offset;
    return null;
  }

  /** Makes sure that the buffer holds `bytes` from the current place on; false when the segment ends before. */
  #have(bytes: number): boolean {
    if (this.#offset + bytes > this.#segmentBytes) return false;
    if (this.#offset >= this.#from && this.#offset + bytes <= this.#to) return true;
    const wanted = Math.max(bytes, Math.min(this.#readBytes, this.#segmentBytes - this.#offset));
    if (wanted > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(wanted);
    this.#readBytes = Math.min(this.#readBytes * 2, JOURNAL_READ_BYTES);
    this.#from = this.#offset;
    this.#to = this.#offset + readFully(this.#fd, this.#buffer, wanted, this.#offset);
    return this.#to >= this.#offset + bytes;
  }
}
