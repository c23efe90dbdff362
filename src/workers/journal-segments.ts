// The journal's files: segments made ahead of need, found, checked and opened.
//
// A segment gets its name only when it is whole: zeros written (not a hole, so that an append changes data and never
// the file's metadata), synced, then linked. Linked rather than renamed, because a name that exists may be in use
// already: the upkeep and an append that could not wait for it may make the same segment at once, and the later one
// must lose. What a crash leaves behind is a `*.tmp` without meaning.

import { randomBytes, randomInt } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { assert } from '../core/assert.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FRAME_ALIGN_BYTES,
  type JournalDamage,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../core/journal-format.js';
import { err, ok, type Result } from '../core/result.js';
import type { JournalHead } from './journal-head.js';

const SEGMENT_NAME = /^(\d{10})\.seg$/;
const UNFINISHED_NAME = /^\d{10}\.seg\.[0-9a-f]+\.tmp$/;
const JOURNAL_ID_CHARACTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Zeros are written in steps of this and synced after each, so that an append's own sync never waits for many. */
const FILL_BYTES = 1_048_576;

/** Where a segment lies. */
export function segmentPath(dir: string, index: number): string {
  return path.join(dir, `${String(index).padStart(10, '0')}.seg`);
}

/** The indexes of the segments in `dir`, ascending; none when there is no such directory. */
export function listSegments(dir: string): number[] {
  if (!fs.existsSync(dir)) return [];
  const indexes: number[] = [];
  for (const name of fs.readdirSync(dir)) {
    const match = SEGMENT_NAME.exec(name);
    if (match !== null) indexes.push(decimal(match[1]!));
  }
  return indexes.sort((a, b) => a - b);
}

function decimal(digits: string): number {
  let value = 0;
  for (let i = 0; i < digits.length; i++) value = value * 10 + digits.charCodeAt(i) - 0x30;
  return value;
}

/** Starts a journal in `dir`, which it makes when missing, and answers the journal's id. */
export function createJournal(dir: string, segmentBytes: number): string {
  assert(listSegments(dir).length === 0, 'a journal is created where there is none');
  let journalId = '';
  while (journalId.length < 8) journalId += JOURNAL_ID_CHARACTERS[randomInt(JOURNAL_ID_CHARACTERS.length)];
  makeDirectories(path.resolve(dir));
  createSegment(dir, { index: 0, segmentBytes, journalId });
  return journalId;
}

/** Makes one segment, whole and synced; false when it exists. Throws what the disk says. */
export function createSegment(dir: string, header: SegmentHeader): boolean {
  const { segmentBytes } = header;
  assert(
    segmentBytes > SEGMENT_HEADER_BYTES && segmentBytes % FRAME_ALIGN_BYTES === 0,
    'a segment holds more than its header, in whole words',
  );
  const name = segmentPath(dir, header.index);
  const unfinished = `${name}.${randomBytes(6).toString('hex')}.tmp`;
  const fd = fs.openSync(unfinished, 'wx', 0o640);
  try {
    const zeros = Buffer.alloc(Math.min(FILL_BYTES, segmentBytes));
    for (let offset = 0; offset < segmentBytes; offset += zeros.length) {
      writeAll(fd, zeros, Math.min(zeros.length, segmentBytes - offset), offset);
      fs.fdatasyncSync(fd);
    }
    writeAll(fd, encodeSegmentHeader(header), SEGMENT_HEADER_BYTES, 0);
    fs.fsyncSync(fd);
    fs.linkSync(unfinished, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    fs.closeSync(fd);
    fs.rmSync(unfinished, { force: true });
    // Also when another thread was first: it may not have come to this yet, and the name must outlive a power cut.
    syncDirectory(dir);
  }
}

/**
 * Makes the segments that are missing up to `ahead` beyond the one in use, and says so in the head. For the upkeep
 * thread. An error (a full disk, say) is no failure of the journal yet: it is the time that is left to act.
 */
export function preallocateSegments(
  dir: string,
  head: JournalHead,
  segmentBytes: number,
  ahead: number,
): Result<number, string> {
  let made = 0;
  try {
    for (let index = head.segmentReady + 1; index <= head.segment + ahead; index++) {
      if (createSegment(dir, { index, segmentBytes, journalId: head.journalId })) made += 1;
      head.raiseSegmentReady(index);
    }
  } catch (error) {
    return err(`segment cannot be made: ${(error as Error).message}`);
  }
  return ok(made);
}

/** Removes what creations that a crash cut short have left. Only while nothing else uses the directory. */
export function removeUnfinished(dir: string): void {
  if (!fs.existsSync(dir)) return;
  for (const name of fs.readdirSync(dir)) {
    if (UNFINISHED_NAME.test(name)) fs.rmSync(path.join(dir, name), { force: true });
  }
}

export interface OpenSegment {
  readonly fd: number;
  readonly header: SegmentHeader;
}

/** Opens a segment and checks that it is the one meant; null when there is no such file. */
export function openSegment(
  dir: string,
  index: number,
  flags: 'r' | 'r+',
  journalId: string | null,
): Result<OpenSegment | null, string> {
  let fd: number;
  try {
    fd = fs.openSync(segmentPath(dir, index), flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(null);
    throw error;
  }
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const header = decodeSegmentHeader(bytes.subarray(0, readFully(fd, bytes, SEGMENT_HEADER_BYTES, 0)));
  const reason = header.ok ? mismatch(header.value, index, fs.fstatSync(fd).size, journalId) : header.error;
  if (header.ok && reason === null) return ok({ fd, header: header.value });
  fs.closeSync(fd);
  return err(reason ?? 'segment header is unreadable');
}

function mismatch(
  header: SegmentHeader,
  index: number,
  size: number,
  journalId: string | null,
): string | null {
  if (header.index !== index) return `file is named ${index} and holds segment ${header.index}`;
  if (header.segmentBytes !== size) return `file has ${size} bytes and should have ${header.segmentBytes}`;
  if (journalId !== null && header.journalId !== journalId) {
    return `segment belongs to journal ${header.journalId}, not ${journalId}`;
  }
  return null;
}

/** The headers of all segments, in order, without a gap and of one journal; empty when there is none. */
export function checkSegments(dir: string): Result<SegmentHeader[], JournalDamage> {
  const headers: SegmentHeader[] = [];
  for (const index of listSegments(dir)) {
    const previous = headers.at(-1);
    const damage = (segment: number, reason: string) =>
      err({ segment, offset: 0, expectedSequence: null, reason } satisfies JournalDamage);
    if (previous !== undefined && index !== previous.index + 1) {
      return damage(previous.index + 1, 'segment is missing');
    }
    const opened = openSegment(dir, index, 'r', previous?.journalId ?? null);
    if (!opened.ok) return damage(index, opened.error);
    if (opened.value === null) return damage(index, 'segment is missing');
    fs.closeSync(opened.value.fd);
    headers.push(opened.value.header);
  }
  return ok(headers);
}

/** Reads until `length` bytes are there or the file ends; the number of bytes read. */
export function readFully(fd: number, buffer: Buffer, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const read = fs.readSync(fd, buffer, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Writes the first `length` bytes at `position`, going on after a short write. */
export function writeAll(fd: number, buffer: Buffer, length: number, position: number): void {
  let done = 0;
  while (done < length) {
    const written = fs.writeSync(fd, buffer, done, length - done, position + done);
    if (written === 0) throw new Error('the disk takes no more bytes');
    done += written;
  }
}

/** Makes `dir` and what is missing above it, so that the names are on the disk. */
function makeDirectories(dir: string): void {
  const first = fs.mkdirSync(dir, { recursive: true });
  if (first === undefined) return;
  for (let made = dir; made.length >= first.length; made = path.dirname(made))
    syncDirectory(path.dirname(made));
}

function syncDirectory(dir: string): void {
  const fd = fs.openSync(dir, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
