// The journal row of a round's change: the whole definition after it, as msgpack behind the row's fixed head.
// Written a few times in a round's life, so it is self-describing where the other rows are packed.

import { Packr } from 'msgpackr';
import { assert } from './assert.js';
import { JOURNAL_ROUND_ROW_BYTES_MAX } from './limits.js';
import { getU53, putU16, putU53 } from './little-endian.js';
import { isAmount } from './money.js';
import {
  ROUND_CHANGES,
  ROUND_ID_PATTERN,
  ROUND_STATES,
  type RoundChange,
  type RoundDefinition,
} from './round.js';
import { isRowTime, ROW_AT, ROW_KIND, ROW_TEXT_AT } from './row-layout.js';
import type { RoundRow } from './rows.js';

const DEFINITION_AT = ROW_TEXT_AT.round;
const MEMBERS = 11;

const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/** Writes a round row at `offset` and answers the offset behind it. */
export function encodeRoundRow(
  buffer: Buffer,
  offset: number,
  at: number,
  change: RoundChange,
  definition: RoundDefinition,
): number {
  assert(isRowTime(at), 'a row needs a time');
  assert(isDefinition(definition), () => `round ${definition.id} must be whole and in range`);
  const packed = packr.pack(definition);
  const end = offset + DEFINITION_AT + packed.length;
  assert(end - offset <= JOURNAL_ROUND_ROW_BYTES_MAX, 'a round row must keep to its bound');
  assert(end <= buffer.length, 'a row must fit its buffer');
  putU16(buffer, offset, end - offset);
  buffer[offset + ROW_AT.kind] = ROW_KIND.round;
  buffer[offset + ROW_AT.code] = ROUND_CHANGES.indexOf(change) + 1;
  putU16(buffer, offset + ROW_AT.round, definition.number);
  putU16(buffer, offset + 6, 0);
  putU53(buffer, offset + ROW_AT.time, at);
  buffer.set(packed, offset + DEFINITION_AT);
  return end;
}

/** Reads the round row between `offset` and `end`, whose common head is checked; a string says what is wrong. */
export function decodeRoundRow(
  buffer: Buffer,
  offset: number,
  end: number,
  sequence: number,
  round: number,
): RoundRow | string {
  if (end - offset <= DEFINITION_AT || end - offset > JOURNAL_ROUND_ROW_BYTES_MAX)
    return 'round row has a wrong length';
  const change = ROUND_CHANGES[buffer[offset + ROW_AT.code]! - 1];
  if (change === undefined) return 'round row has an unknown change';
  const at = getU53(buffer, offset + ROW_AT.time);
  if (!isRowTime(at)) return 'round row has no time';
  let definition: unknown;
  try {
    definition = packr.unpack(buffer.subarray(offset + DEFINITION_AT, end));
  } catch {
    return 'round row has an unreadable definition';
  }
  if (!isDefinition(definition)) return 'round row has an incomplete definition';
  if (definition.number !== round) return 'round row has two round numbers';
  return { kind: 'round', sequence, at, change, definition };
}

function isDefinition(value: unknown): value is RoundDefinition {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== MEMBERS) return false;
  const it = value as Partial<Record<keyof RoundDefinition, unknown>>;
  return (
    Number.isInteger(it.number) &&
    typeof it.id === 'string' &&
    ROUND_ID_PATTERN.test(it.id) &&
    typeof it.name === 'string' &&
    typeof it.currency === 'string' &&
    /^[A-Z]{3}$/.test(it.currency) &&
    isAmount(it.cap) &&
    isAmount(it.minimum) &&
    isAmount(it.maximum) &&
    it.minimum <= it.maximum &&
    (it.opensAt === null || isRowTime(it.opensAt)) &&
    (it.closesAt === null || isRowTime(it.closesAt)) &&
    (it.unknownBalance === 'refuse' || it.unknownBalance === 'allow') &&
    ROUND_STATES.some((state) => state === it.state)
  );
}
