// What all journal rows share on disk. The tables here are the format: entries are appended, never renumbered.
//
//   row   0 ┌ u16 length of the whole row ┬ u8 kind ┬ u8 code ┐
//         4 ├ u16 round ──────────────────┼ two bytes by kind ┤
//         8 ├ u53 at, ms since 1970 ──────┴───────────────────┤
//           └ by kind ────────────────────────────────────────┘
//
//   verdict   code VERDICT_CODES    6: u8 investor bytes, u8 key bytes
//             16 u53 amount   24 u53 extra   32 investor, key
//   outcome   code OUTCOME_CODES    6: u8 investor bytes, u8 flags (bit 0: eligible)
//             16 u53 investment   24 u53 amount   32 u53 balance   40 u53 balanceVersion   48 investor
//   round     code ROUND_CHANGES, counted from 1    6: zero
//             16 the definition, msgpack
//   lineage   code 1    4: no round, zero    6: zero
//             16 u53 lostThrough   24 entries: 8 characters of a journal's id, u53 first sequence
//
// Rows follow each other without padding; a row's sequence is its frame's first one plus its index there. Zero is no
// valid kind and no valid code, so a run of zeros is never a row.

/** The kind of a row, in byte 2. */
export const ROW_KIND = { verdict: 1, outcome: 2, round: 3, lineage: 4 } as const;

/** Where the fields are that rows of every kind have; `investorBytes` is of verdicts and outcomes. */
export const ROW_AT = { kind: 2, code: 3, round: 4, investorBytes: 6, time: 8 } as const;

export const VERDICT_AT = { keyBytes: 7, amount: 16, extra: 24 } as const;

export const OUTCOME_AT = { flags: 7, investment: 16, amount: 24, balance: 32, balanceVersion: 40 } as const;

/** Where a row's part of variable length starts. */
export const ROW_TEXT_AT = { verdict: 32, outcome: 48, round: 16, lineage: 24 } as const;

/** The flag of an outcome row: the investor is eligible. */
export const ELIGIBLE_FLAG = 1;

/** The code of an outcome row that settles; those above it decline, each for a reason of DECLINE_REASONS. */
export const OUTCOME_SETTLED_CODE = 1;

/** The last millisecond that a Date can hold. */
const TIME_MS_MAX = 8_640_000_000_000_000;

/** True for milliseconds since 1970 that a date can be made of. */
export function isRowTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= TIME_MS_MAX;
}

const VISIBLE = 1;
const KEY = 2;
const CLASSES = new Uint8Array(256);
for (let code = 0x21; code <= 0x7e; code++) {
  CLASSES[code] = /[A-Za-z0-9_-]/.test(String.fromCharCode(code)) ? VISIBLE | KEY : VISIBLE;
}

/**
 * Writes `text` as one byte per character; false if one of them is not visible ASCII. A loop beats a call into C++ at
 * the lengths of ids, and it checks while it writes.
 */
export function putVisible(buffer: Uint8Array, offset: number, text: string): boolean {
  let all = VISIBLE;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    all &= code < 256 ? CLASSES[code]! : 0;
    buffer[offset + i] = code;
  }
  return all !== 0;
}

/** True when all bytes from `start` to `end` are visible ASCII. */
export function isVisible(buffer: Uint8Array, start: number, end: number): boolean {
  return isClass(buffer, start, end, VISIBLE);
}

/** True when all bytes from `start` to `end` may be in an idempotency key. */
export function isKey(buffer: Uint8Array, start: number, end: number): boolean {
  return isClass(buffer, start, end, KEY);
}

function isClass(buffer: Uint8Array, start: number, end: number, wanted: number): boolean {
  let all = wanted;
  for (let i = start; i < end; i++) all &= CLASSES[buffer[i]!]!;
  return all !== 0;
}
