// What a start does with the journal it finds: how far it goes, whether it can be trusted, and making that durable.
//
// Order, and why: (1) find the end; (2) tell a torn tail from damage, and stop at damage with nothing changed; (3) cut
// the torn tail, so that no later append meets old bytes; (4) write the last frame again, as it is, and sync: the
// process may have died between write and sync, or after a sync that failed and left clean pages that are on no disk;
// (5) only now hand out the frames. So nobody builds on a frame that a power cut could still take away.
// All steps may be interrupted and done again.

import fs from 'node:fs';
import {
  frameBytes,
  type JournalDamage,
  type JournalPosition,
  journalStart,
  type SegmentHeader,
} from '../core/journal-format.js';
import { err, ok, type Result } from '../core/result.js';
import { type JournalFrame, JournalReader } from './journal-reader.js';
import {
  checkSegments,
  createJournal,
  readFully,
  removeUnfinished,
  segmentPath,
  writeAll,
} from './journal-segments.js';
import { type DirtyRange, endsBehindFrame, examineTail, zeroRanges } from './journal-tail.js';

export interface RecoveryOptions {
  /** Where to begin: what the index has seen; null for the journal's start. */
  readonly from: JournalPosition | null;
  /** The highest sequence that anybody (index, watermark, mark of a clean stop) knows to have been durable; 0: none. */
  readonly floorSequence: number;
  /** Size of the first segment, if there is no journal yet. */
  readonly segmentBytes: number;
  /** Gets each frame behind `from`, in order, once all of them are durable. */
  readonly onFrame: (frame: JournalFrame) => void;
}

export interface RecoveredJournal {
  readonly journalId: string;
  /** Where the next frame goes; all before is durable. */
  readonly end: JournalPosition;
  /** The highest segment that exists. */
  readonly lastSegment: number;
  /** Frames and rows behind `from`. */
  readonly frames: number;
  readonly rows: number;
  /** What was cut, or null. */
  readonly torn: DirtyRange | null;
}

/** Makes the journal in `dir` ready to go on, or says where it is damaged; an empty directory becomes a new journal. */
export function recoverJournal(
  dir: string,
  options: RecoveryOptions,
): Result<RecoveredJournal, JournalDamage> {
  removeUnfinished(dir);
  const checked = checkSegments(dir);
  if (!checked.ok) return checked;
  const headers = checked.value;
  const floor = Math.max(options.floorSequence, (options.from?.nextSequence ?? 1) - 1);
  if (headers.length === 0) {
    if (floor > 0)
      return err(damageAt(0, 0, 1, `there is no journal, and it is known to have reached ${floor}`));
    const journalId = createJournal(dir, options.segmentBytes);
    return ok({ journalId, end: journalStart(journalId), lastSegment: 0, frames: 0, rows: 0, torn: null });
  }
  const begun = startOf(dir, headers, options.from);
  if (!begun.ok) return begun;
  return recoverFrom(dir, headers, begun.value, floor, options.onFrame);
}

function recoverFrom(
  dir: string,
  headers: readonly SegmentHeader[],
  start: JournalPosition,
  floor: number,
  onFrame: (frame: JournalFrame) => void,
): Result<RecoveredJournal, JournalDamage> {
  const { journalId } = headers[0]!;
  const lastSegment = headers.at(-1)!.index;
  const reader = new JournalReader(dir, journalId, start);
  try {
    let frames = 0;
    let last: DirtyRange | null = null;
    let read = reader.next(Number.POSITIVE_INFINITY);
    while (read.ok && read.value !== null) {
      const { segment, offset, header } = read.value;
      frames += 1;
      last = { segment, offset, bytes: frameBytes(header.payloadLength) };
      read = reader.next(Number.POSITIVE_INFINITY);
    }
    const end = reader.position();
    const stop = read.ok ? damageAt(end.segment, end.offset, end.nextSequence, 'no frame') : read.error;
    if (end.nextSequence <= floor) {
      return err({ ...stop, reason: `${stop.reason}, and sequence ${floor} is known to have been durable` });
    }
    const tail = examineTail(dir, stop, end, lastSegment);
    if (!tail.ok) return tail;
    zeroRanges(dir, tail.value);
    if (last !== null) rewrite(dir, last);
    deliver(new JournalReader(dir, journalId, start), end.nextSequence - 1, onFrame);
    const rows = end.nextSequence - start.nextSequence;
    return ok({ journalId, end, lastSegment, frames, rows, torn: tornRange(tail.value) });
  } finally {
    reader.close();
  }
}

/** Where reading begins; `from` counts only if the frame that it lies behind is there. */
function startOf(
  dir: string,
  headers: readonly SegmentHeader[],
  from: JournalPosition | null,
): Result<JournalPosition, JournalDamage> {
  const first = headers[0]!;
  const start = journalStart(first.journalId);
  if (from === null || from.nextSequence === 1) {
    if (first.index !== 0) return err(damageAt(0, 0, 1, 'segment is missing'));
    return ok(start);
  }
  const damage = (reason: string) => err(damageAt(from.segment, from.offset, from.nextSequence, reason));
  if (!headers.some((header) => header.index === from.segment)) return damage('segment is missing');
  if (!endsBehindFrame(dir, from)) return damage('the frame that the index has read last is not there');
  return ok(from);
}

function rewrite(dir: string, frame: DirtyRange): void {
  const fd = fs.openSync(segmentPath(dir, frame.segment), 'r+');
  try {
    const bytes = Buffer.allocUnsafe(frame.bytes);
    const read = readFully(fd, bytes, bytes.length, frame.offset);
    writeAll(fd, bytes, read, frame.offset);
    fs.fdatasyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function deliver(
  reader: JournalReader,
  durableSequence: number,
  onFrame: (frame: JournalFrame) => void,
): void {
  try {
    let read = reader.next(durableSequence);
    while (read.ok && read.value !== null) {
      onFrame(read.value);
      read = reader.next(durableSequence);
    }
    if (!read.ok) throw new Error(`journal changed while it was recovered: ${read.error.reason}`);
  } finally {
    reader.close();
  }
}

/** The cut in one: where it began, and how many bytes there and behind were cleared. */
function tornRange(dirty: readonly DirtyRange[]): DirtyRange | null {
  const first = dirty[0];
  return first === undefined ? null : { ...first, bytes: dirty.reduce((sum, range) => sum + range.bytes, 0) };
}

function damageAt(segment: number, offset: number, expectedSequence: number, reason: string): JournalDamage {
  return { segment, offset, expectedSequence, reason };
}
