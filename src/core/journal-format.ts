// The journal on disk: segment headers and frame headers, and nothing about files.
//
// A journal is a directory of equally built segments, `0000000000.seg`, `0000000001.seg`, …, filled one after the
// other. Format version 1, every integer little endian:
//
//   segment   0 ┌ magic "OPENBELL" ┬ u32 version ┬ u32 index ┐
//            16 ├ u53 segmentBytes ┴─ journalId, 8 × [a-z0-9] ┤
//            32 ├ u32 crc32 of the other 4092 bytes, then zeros ┤
//          4096 ├ frame ─ frame ─ … ─ zeros to the end ─────────┘
//
//   frame     0 ┌ u32 magic ───────────┬ u32 payloadLength ──────┐
//             8 ├ u32 checksum ────────┼ u32 previousChecksum ───┤
//            16 ├ u53 firstSequence ─────────────────────────────┤
//            24 ├ u32 count ───────────┼ u32 epoch ──────────────┤
//            32 ├ u53 durableSequence ───────────────────────────┤
//            40 ├ u53 at, ms since 1970 ─────────────────────────┤
//            48 └ payload: `count` rows ─ zeros to a multiple of 8 ┘
//
// checksum = crc32, seeded with payloadLength, of everything behind it up to the end of the padding: no byte of a
// frame is uncovered. previousChecksum chains the frames (the first one to the journalId), because content of an
// earlier life of the file may be valid by itself. durableSequence is the last sequence known to be synced when the
// frame was written: a valid frame proves that everything up to there had reached the disk.
// A frame never spans segments. The end is where no frame follows that is valid, next in sequence and chained.

import { crc32 } from 'node:zlib';
import { assert } from './assert.js';
import { JOURNAL_FRAME_BYTES_MAX, JOURNAL_FRAME_ROWS_MAX } from './limits.js';
import { getU32, getU53, putU32, putU53 } from './little-endian.js';
import { err, ok, type Result } from './result.js';

export const SEGMENT_HEADER_BYTES = 4096;
export const FRAME_HEADER_BYTES = 48;
export const FRAME_ALIGN_BYTES = 8;
const FORMAT_VERSION = 1;
const SEGMENT_MAGIC = 'OPENBELL';
const SEGMENT_CRC_AT = 32;
const FRAME_MAGIC = 0x4d52464f;
const FRAME_CHECKSUM_AT = 8;
const JOURNAL_ID_PATTERN = /^[a-z0-9]{8}$/;

/** The four bytes that every frame starts with, for a search. */
export const FRAME_MAGIC_BYTES: Readonly<Uint8Array> = Uint8Array.of(0x4f, 0x46, 0x52, 0x4d);

/** A place between two frames, and what the next one must be. */
export interface JournalPosition {
  readonly segment: number;
  readonly offset: number;
  readonly nextSequence: number;
  readonly previousChecksum: number;
}

/** Why a journal cannot be trusted, and where. */
export interface JournalDamage {
  readonly segment: number;
  readonly offset: number;
  /** The sequence that should be there; null where that is not known. */
  readonly expectedSequence: number | null;
  readonly reason: string;
}

export interface SegmentHeader {
  readonly index: number;
  readonly segmentBytes: number;
  readonly journalId: string;
}

export interface FrameHeader {
  readonly payloadLength: number;
  readonly checksum: number;
  readonly previousChecksum: number;
  readonly firstSequence: number;
  readonly count: number;
  readonly epoch: number;
  readonly durableSequence: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** One line that names the damage. */
export function describeDamage(damage: JournalDamage): string {
  const expected = damage.expectedSequence === null ? '' : `, expected sequence ${damage.expectedSequence}`;
  return `journal damaged in segment ${damage.segment} at offset ${damage.offset}${expected}: ${damage.reason}`;
}

/** Where the first frame of a journal belongs. */
export function journalStart(journalId: string): JournalPosition {
  return { segment: 0, offset: SEGMENT_HEADER_BYTES, nextSequence: 1, previousChecksum: crc32(journalId) };
}

/** The 4096 bytes that a segment starts with. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  assert(JOURNAL_ID_PATTERN.test(header.journalId), 'a journal id is 8 characters of a-z and 0-9');
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(SEGMENT_MAGIC, 0, 'latin1');
  putU32(bytes, 8, FORMAT_VERSION);
  putU32(bytes, 12, header.index);
  putU53(bytes, 16, header.segmentBytes);
  bytes.write(header.journalId, 24, 'latin1');
  putU32(bytes, SEGMENT_CRC_AT, segmentHeaderCrc(bytes));
  return bytes;
}

/** Reads what `encodeSegmentHeader` wrote; the error is the reason why it is not that. */
export function decodeSegmentHeader(bytes: Buffer): Result<SegmentHeader, string> {
  if (bytes.length < SEGMENT_HEADER_BYTES) return err('segment header is cut short');
  if (bytes.toString('latin1', 0, 8) !== SEGMENT_MAGIC) return err('segment header has no magic');
  const version = getU32(bytes, 8);
  if (segmentHeaderCrc(bytes) !== getU32(bytes, SEGMENT_CRC_AT))
    return err('segment header fails its checksum');
  if (version !== FORMAT_VERSION)
    return err(`segment has format version ${version}, this is ${FORMAT_VERSION}`);
  const journalId = bytes.toString('latin1', 24, 32);
  if (!JOURNAL_ID_PATTERN.test(journalId)) return err('segment header has no journal id');
  return ok({ index: getU32(bytes, 12), segmentBytes: getU53(bytes, 16), journalId });
}

function segmentHeaderCrc(bytes: Buffer): number {
  const head = crc32(bytes.subarray(0, SEGMENT_CRC_AT));
  return crc32(bytes.subarray(SEGMENT_CRC_AT + 4, SEGMENT_HEADER_BYTES), head);
}

/** What a frame with this payload takes on disk. */
export function frameBytes(payloadLength: number): number {
  return Math.ceil((FRAME_HEADER_BYTES + payloadLength) / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
}

/**
 * Completes the frame at the start of `buffer`, whose payload is in place behind 48 bytes for the header: writes the
 * header and the padding, and answers the checksum. The buffer must have room for `frameBytes(payloadLength)`.
 */
export function sealFrame(
  buffer: Buffer,
  payloadLength: number,
  previousChecksum: number,
  firstSequence: number,
  count: number,
  epoch: number,
  durableSequence: number,
  at: number,
): number {
  const end = frameBytes(payloadLength);
  assert(end <= buffer.length, 'a frame must fit its buffer');
  assert(count > 0 && count <= JOURNAL_FRAME_ROWS_MAX, 'a frame holds at least one row and not too many');
  assert(durableSequence < firstSequence, 'what is being written cannot be synced yet');
  buffer.fill(0, FRAME_HEADER_BYTES + payloadLength, end);
  putU32(buffer, 0, FRAME_MAGIC);
  putU32(buffer, 4, payloadLength);
  putU32(buffer, 12, previousChecksum);
  putU53(buffer, 16, firstSequence);
  putU32(buffer, 24, count);
  putU32(buffer, 28, epoch);
  putU53(buffer, 32, durableSequence);
  putU53(buffer, 40, at);
  const checksum = crc32(buffer.subarray(FRAME_CHECKSUM_AT + 4, end), payloadLength);
  putU32(buffer, FRAME_CHECKSUM_AT, checksum);
  return checksum;
}

/**
 * Reads a frame header whose 48 bytes are at `offset`; null unless its numbers are possible. The checksum is not
 * looked at: the payload may not have been read yet.
 */
export function decodeFrameHeader(buffer: Buffer, offset: number): FrameHeader | null {
  if (getU32(buffer, offset) !== FRAME_MAGIC) return null;
  const payloadLength = getU32(buffer, offset + 4);
  const firstSequence = getU53(buffer, offset + 16);
  const count = getU32(buffer, offset + 24);
  const durableSequence = getU53(buffer, offset + 32);
  const at = getU53(buffer, offset + 40);
  if (payloadLength === 0 || frameBytes(payloadLength) > JOURNAL_FRAME_BYTES_MAX) return null;
  if (count === 0 || count > JOURNAL_FRAME_ROWS_MAX) return null;
  if (firstSequence < 1 || durableSequence < 0 || durableSequence >= firstSequence || at < 0) return null;
  return {
    payloadLength,
    checksum: getU32(buffer, offset + FRAME_CHECKSUM_AT),
    previousChecksum: getU32(buffer, offset + 12),
    firstSequence,
    count,
    epoch: getU32(buffer, offset + 28),
    durableSequence,
    at,
  };
}

/** True when the whole frame at `offset`, which must be in `buffer` up to its padding, fits its checksum. */
export function frameIsWhole(buffer: Buffer, offset: number, header: FrameHeader): boolean {
  const end = offset + frameBytes(header.payloadLength);
  return (
    crc32(buffer.subarray(offset + FRAME_CHECKSUM_AT + 4, end), header.payloadLength) === header.checksum
  );
}
