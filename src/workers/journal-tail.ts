// What lies behind the last readable frame decides what a stop there means.
//
// An append is synced before the next one is written, so a crash can spoil only the last frame: a torn tail, nobody was
// told about it, it is cut. But where any valid frame further on says that this place had been synced, the disk has
// lost or changed what was promised: damage. That is named and never cut.

import fs from 'node:fs';
import {
  decodeFrameHeader,
  FRAME_ALIGN_BYTES,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_BYTES,
  frameBytes,
  frameIsWhole,
  type JournalDamage,
  type JournalPosition,
  SEGMENT_HEADER_BYTES,
} from '../core/journal-format.js';
import { JOURNAL_FRAME_BYTES_MAX, JOURNAL_READ_BYTES } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { readFully, segmentPath, writeAll } from './journal-segments.js';

/** A stretch of a segment that begins and ends with a byte that is not zero. */
export interface DirtyRange {
  readonly segment: number;
  readonly offset: number;
  readonly bytes: number;
}

const ZEROS = Buffer.alloc(JOURNAL_READ_BYTES);

/**
 * Looks at all that follows `end`, where `stop` says that no frame follows. Answers what would have to be cut, none
 * when the rest is zeros, or the damage when a later frame proves that one had been there.
 */
export function examineTail(
  dir: string,
  stop: JournalDamage,
  end: JournalPosition,
  lastSegment: number,
): Result<DirtyRange[], JournalDamage> {
  const dirty: DirtyRange[] = [];
  for (let segment = end.segment; segment <= lastSegment; segment++) {
    const start = segment === end.segment ? end.offset : SEGMENT_HEADER_BYTES;
    const proof = scanSegment(dir, segment, start, end.nextSequence, dirty);
    if (proof !== null)
      return err({ ...stop, reason: `${stop.reason}, and ${proof} proves that it was there` });
  }
  return ok(dirty);
}

/** Collects what is not zero from `start` on; answers the frame there that proves `sequence` synced, in words. */
function scanSegment(
  dir: string,
  segment: number,
  start: number,
  sequence: number,
  dirty: DirtyRange[],
): string | null {
  const fd = fs.openSync(segmentPath(dir, segment), 'r');
  try {
    const chunk = Buffer.allocUnsafeSlow(JOURNAL_READ_BYTES);
    let offset = start;
    let read = readFully(fd, chunk, chunk.length, offset);
    while (read > 0) {
      if (!isZero(chunk, read)) {
        dirty.push(trimmed(chunk, read, segment, offset));
        const proof = findProof(fd, chunk.subarray(0, read), offset, sequence);
        if (proof !== null) return `the frame in segment ${segment} at offset ${proof}`;
      }
      offset += read;
      read = readFully(fd, chunk, chunk.length, offset);
    }
    return null;
  } finally {
    fs.closeSync(fd);
  }
}

/** True when the bytes from `start` to the end of a segment are zeros. */
export function isZeroFrom(dir: string, segment: number, start: number): boolean {
  const dirty: DirtyRange[] = [];
  scanSegment(dir, segment, start, Number.MAX_SAFE_INTEGER, dirty);
  return dirty.length === 0;
}

function trimmed(chunk: Buffer, length: number, segment: number, base: number): DirtyRange {
  let first = 0;
  let last = length - 1;
  while (chunk[first] === 0) first++;
  while (chunk[last] === 0) last--;
  return { segment, offset: base + first, bytes: last - first + 1 };
}

function isZero(chunk: Buffer, length: number): boolean {
  return chunk.compare(ZEROS, 0, length, 0, length) === 0;
}

/** The offset of a valid frame that starts in `chunk`, which is at `base`, and was written when `sequence` was synced. */
function findProof(fd: number, chunk: Buffer, base: number, sequence: number): number | null {
  let at = chunk.indexOf(FRAME_MAGIC_BYTES);
  while (at >= 0) {
    if (at % FRAME_ALIGN_BYTES === 0 && provesSynced(fd, base + at, sequence)) return base + at;
    at = chunk.indexOf(FRAME_MAGIC_BYTES, at + 1);
  }
  return null;
}

function provesSynced(fd: number, offset: number, sequence: number): boolean {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  if (readFully(fd, head, head.length, offset) < head.length) return false;
  const header = decodeFrameHeader(head, 0);
  if (header === null || header.durableSequence < sequence) return false;
  const frame = Buffer.allocUnsafe(frameBytes(header.payloadLength));
  return readFully(fd, frame, frame.length, offset) === frame.length && frameIsWhole(frame, 0, header);
}

/** Overwrites the ranges with zeros and syncs each segment that they are in. */
export function zeroRanges(dir: string, ranges: readonly DirtyRange[]): void {
  for (const segment of new Set(ranges.map((range) => range.segment))) {
    const fd = fs.openSync(segmentPath(dir, segment), 'r+');
    try {
      for (const range of ranges) {
        if (range.segment === segment) writeAll(fd, ZEROS, range.bytes, range.offset);
      }
      fs.fdatasyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** True when a valid frame ends at `position` that is the one its numbers speak of. */
export function endsBehindFrame(dir: string, position: JournalPosition): boolean {
  const start = Math.max(SEGMENT_HEADER_BYTES, position.offset - JOURNAL_FRAME_BYTES_MAX);
  const bytes = Buffer.allocUnsafe(Math.max(0, position.offset - start));
  const fd = fs.openSync(segmentPath(dir, position.segment), 'r');
  try {
    if (readFully(fd, bytes, bytes.length, start) < bytes.length) return false;
  } finally {
    fs.closeSync(fd);
  }
  let at = bytes.lastIndexOf(FRAME_MAGIC_BYTES);
  while (at >= 0) {
    const header = bytes.length - at >= FRAME_HEADER_BYTES ? decodeFrameHeader(bytes, at) : null;
    if (
      header !== null &&
      header.checksum === position.previousChecksum &&
      header.firstSequence + header.count === position.nextSequence &&
      at + frameBytes(header.payloadLength) === bytes.length
    ) {
      return frameIsWhole(bytes, at, header);
    }
    at = at === 0 ? -1 : bytes.lastIndexOf(FRAME_MAGIC_BYTES, at - 1);
  }
  return false;
}
