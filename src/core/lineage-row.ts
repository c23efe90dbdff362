// The journal row that a journal begins its own sequences with when it was built again from replicated rows: whose
// sequences those before it are, and what was given up. Its bytes are drawn in row-layout.ts.

import { assert } from './assert.js';
import { isLineage, type Lineage, type LineageEntry } from './ids.js';
import { LINEAGE_ENTRIES_MAX } from './limits.js';
import { getU53, putU16, putU53 } from './little-endian.js';
import { isRowTime, ROW_AT, ROW_KIND, ROW_TEXT_AT } from './row-layout.js';
import type { LineageRow } from './rows.js';

const REBUILT_CODE = 1;
const LOST_THROUGH_AT = 16;
const ENTRIES_AT = ROW_TEXT_AT.lineage;
const ENTRY_BYTES = 16;
const ID_BYTES = 8;

/** Writes a lineage row at `offset` and answers the offset behind it. */
export function encodeLineageRow(
  buffer: Buffer,
  offset: number,
  at: number,
  lineage: Lineage,
  lostThrough: number,
): number {
  assert(isRowTime(at), 'a row needs a time');
  assert(isLineage(lineage) && lineage.length <= LINEAGE_ENTRIES_MAX, 'a lineage is whole and not too long');
  assert(Number.isSafeInteger(lostThrough) && lostThrough >= 0, 'what was lost ends at a sequence');
  const end = offset + ENTRIES_AT + lineage.length * ENTRY_BYTES;
  assert(end <= buffer.length, 'a row must fit its buffer');
  putU16(buffer, offset, end - offset);
  buffer[offset + ROW_AT.kind] = ROW_KIND.lineage;
  buffer[offset + ROW_AT.code] = REBUILT_CODE;
  putU16(buffer, offset + ROW_AT.round, 0);
  putU16(buffer, offset + 6, 0);
  putU53(buffer, offset + ROW_AT.time, at);
  putU53(buffer, offset + LOST_THROUGH_AT, lostThrough);
  lineage.forEach(({ journalId, firstSequence }, index) => {
    const entryAt = offset + ENTRIES_AT + index * ENTRY_BYTES;
    buffer.latin1Write(journalId, entryAt, ID_BYTES);
    putU53(buffer, entryAt + ID_BYTES, firstSequence);
  });
  return end;
}

/** Reads the lineage row between `offset` and `end`; a string says what is wrong. */
export function decodeLineageRow(
  buffer: Buffer,
  offset: number,
  end: number,
  sequence: number,
): LineageRow | string {
  const entriesAt = offset + ENTRIES_AT;
  const count = (end - entriesAt) / ENTRY_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > LINEAGE_ENTRIES_MAX)
    return 'lineage row has a wrong length';
  if (buffer[offset + ROW_AT.code] !== REBUILT_CODE) return 'lineage row has an unknown code';
  const at = getU53(buffer, offset + ROW_AT.time);
  if (!isRowTime(at)) return 'lineage row has no time';
  const lineage: LineageEntry[] = [];
  for (let entryAt = entriesAt; entryAt < end; entryAt += ENTRY_BYTES) {
    const journalId = buffer.latin1Slice(entryAt, entryAt + ID_BYTES);
    lineage.push({ journalId, firstSequence: getU53(buffer, entryAt + ID_BYTES) });
  }
  const lostThrough = getU53(buffer, offset + LOST_THROUGH_AT);
  if (!isLineage(lineage) || lineage.at(-1)!.firstSequence !== sequence)
    return 'lineage row does not lead to itself';
  if (lostThrough !== 0 && lostThrough < sequence) return `lineage row has lost sequence ${lostThrough}`;
  return { kind: 'lineage', sequence, at, lineage, lostThrough };
}
