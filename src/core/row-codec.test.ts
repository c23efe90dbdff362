// Rows read back as they were written; wrong ones are neither written nor read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JOURNAL_ROUND_ROW_BYTES_MAX, LINEAGE_ENTRIES_MAX, ROUNDS_MAX } from './limits.js';
import { getU16 } from './little-endian.js';
import { DECLINE_REASONS } from './messages.js';
import { ROUND_CHANGES, ROUND_STATES } from './round.js';
import { decodeRow, encodeRow, encodeVerdict, forEachRow } from './row-codec.js';
import { type Row, STICKY_VERDICTS, VERDICT_CODES } from './rows.js';
import { Span } from './span.js';

const SEQUENCE = 4_000_000_000_000;

const amount = fc.oneof(
  fc.integer({ min: 1, max: 100_000 }),
  fc.maxSafeNat().filter((value) => value > 0),
);
const balance = fc.maxSafeNat();
const at = fc.integer({ min: 0, max: 8_640_000_000_000_000 });
const round = fc.integer({ min: 1, max: ROUNDS_MAX });
const visible = [...'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~AZaz09'];
const keyCharacters = [...'ABYZabyz0189_-'];
const investor = fc.string({ unit: fc.constantFrom(...visible), minLength: 1, maxLength: 128 });
const key = fc.string({ unit: fc.constantFrom(...keyCharacters), minLength: 1, maxLength: 64 });
const earlier = fc.integer({ min: 1, max: SEQUENCE - 1 });

const verdictRow: fc.Arbitrary<Row> = fc
  .record({ at, round, investor, key, amount, verdict: fc.constantFrom(...STICKY_VERDICTS), earlier })
  .map(({ earlier: live, ...row }) => {
    const remaining = Math.floor(row.amount / 2);
    const extra = row.verdict === 'already-invested' ? live : row.verdict === 'round-full' ? remaining : 0;
    return { kind: 'verdict', sequence: SEQUENCE, ...row, extra };
  });

const outcomeRow: fc.Arbitrary<Row> = fc
  .record({
    at,
    round,
    investor,
    investment: earlier,
    amount,
    reason: fc.option(fc.constantFrom(...DECLINE_REASONS)),
    balance,
    balanceVersion: balance,
    eligible: fc.boolean(),
  })
  .map((row) => ({
    kind: 'outcome',
    sequence: SEQUENCE,
    ...row,
    state: row.reason === null ? 'settled' : 'declined',
  }));

const journalId = fc.string({ unit: fc.constantFrom(...'abcz019'), minLength: 8, maxLength: 8 });
const lineageRow: fc.Arbitrary<Row> = fc
  .record({
    at,
    ids: fc.array(journalId, { minLength: 1, maxLength: LINEAGE_ENTRIES_MAX - 1 }),
    own: journalId,
    lost: fc.option(fc.integer({ min: SEQUENCE, max: Number.MAX_SAFE_INTEGER })),
  })
  .map(({ at: when, ids, own, lost }) => ({
    kind: 'lineage',
    sequence: SEQUENCE,
    at: when,
    lineage: [
      ...ids.map((id, index) => ({ journalId: id, firstSequence: 1 + index * 1000 })),
      { journalId: own, firstSequence: SEQUENCE },
    ],
    lostThrough: lost ?? 0,
  }));

const roundRow: fc.Arbitrary<Row> = fc
  .record({
    at,
    change: fc.constantFrom(...ROUND_CHANGES),
    definition: fc.record(
      {
        number: round,
        id: fc.constantFrom('crowd', 'a', 'round-2'),
        name: fc.string({ maxLength: 100 }),
        currency: fc.constantFrom('GBP', 'EUR', 'JPY'),
        cap: amount,
        minimum: fc.integer({ min: 1, max: 1000 }),
        maximum: fc.integer({ min: 1000, max: Number.MAX_SAFE_INTEGER }),
        opensAt: fc.option(at),
        closesAt: fc.option(at),
        unknownBalance: fc.constantFrom('refuse' as const, 'allow' as const),
        state: fc.constantFrom(...ROUND_STATES),
      },
      { noNullPrototype: true },
    ),
  })
  .map((row) => ({ kind: 'round', sequence: SEQUENCE, ...row }));

/** Rows that may stand at any sequence; a lineage row names its own. */
const movableRow = fc.oneof(verdictRow, outcomeRow, roundRow);
const anyRow = fc.oneof(movableRow, lineageRow);

function span(text: string): Span {
  const made = new Span();
  made.setText(text);
  return made;
}

test('a row reads back as it was written, wherever it lies', () => {
  fc.assert(
    fc.property(anyRow, fc.integer({ min: 0, max: 70 }), (row, offset) => {
      const buffer = Buffer.alloc(offset + JOURNAL_ROUND_ROW_BYTES_MAX, 0xa5);
      const end = encodeRow(buffer, offset, row);
      assert.equal(getU16(buffer, offset), end - offset);
      assert.equal(buffer[end], 0xa5, 'nothing is written behind the row');
      const read = decodeRow(buffer, offset, SEQUENCE);
      assert.ok(read.ok, read.ok ? '' : read.error);
      assert.deepEqual(read.value, row);
    }),
  );
});

test('rows of a payload are visited in order with dense sequences', () => {
  fc.assert(
    fc.property(fc.array(movableRow, { minLength: 1, maxLength: 20 }), (rows) => {
      const buffer = Buffer.alloc(rows.length * JOURNAL_ROUND_ROW_BYTES_MAX);
      let end = 0;
      for (const row of rows) end = encodeRow(buffer, end, row);
      const seen: Row[] = [];
      const read = forEachRow(buffer.subarray(0, end), SEQUENCE, rows.length, (row) => seen.push(row));
      assert.ok(read.ok);
      assert.deepEqual(
        seen,
        rows.map((row, i) => ({ ...row, sequence: SEQUENCE + i })),
      );
    }),
    { numRuns: 50 },
  );
});

test('a payload that is not exactly its rows is refused', () => {
  const buffer = Buffer.alloc(200);
  const end = encodeVerdict(buffer, 0, 1, 1, VERDICT_CODES.accepted, 100, 0, span('alice'), span('key-1'));
  const ignore = () => undefined;
  assert.ok(forEachRow(buffer.subarray(0, end), 1, 1, ignore).ok);
  assert.ok(!forEachRow(buffer.subarray(0, end), 1, 2, ignore).ok);
  assert.ok(!forEachRow(buffer.subarray(0, end + 1), 1, 1, ignore).ok);
  assert.ok(!forEachRow(buffer.subarray(0, end - 1), 1, 1, ignore).ok);
});

test('any bytes are either a row or refused with a reason, never thrown at', () => {
  fc.assert(
    fc.property(anyRow, fc.nat(), fc.integer({ min: 1, max: 255 }), (row, place, flip) => {
      const buffer = Buffer.alloc(JOURNAL_ROUND_ROW_BYTES_MAX);
      const end = encodeRow(buffer, 0, row);
      buffer[place % end]! ^= flip;
      const read = decodeRow(buffer.subarray(0, end), 0, SEQUENCE);
      assert.ok(read.ok || read.error.length > 0);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      decodeRow(Buffer.from(bytes), 0, SEQUENCE);
    }),
  );
});

test('already-invested in the same frame reads back with the sequence of the live row', () => {
  const buffer = Buffer.alloc(100);
  encodeVerdict(
    buffer,
    0,
    1,
    1,
    VERDICT_CODES['already-invested-in-frame'],
    100,
    3,
    span('alice'),
    span('key-2'),
  );
  const read = decodeRow(buffer, 0, 10);
  assert.ok(read.ok && read.value.kind === 'verdict');
  assert.equal(read.value.verdict, 'already-invested');
  assert.equal(read.value.extra, 7);
  assert.ok(!decodeRow(buffer, 0, 3).ok, 'it cannot refer to before the first row');
});

test('a row that breaks its own rules is not written', () => {
  const buffer = Buffer.alloc(1000);
  const { accepted } = VERDICT_CODES;
  const full = VERDICT_CODES['round-full'];
  assert.throws(() => encodeVerdict(buffer, 0, 1, 0, accepted, 1, 0, span('a'), span('k')), /round/);
  assert.throws(
    () => encodeVerdict(buffer, 0, 1, ROUNDS_MAX + 1, accepted, 1, 0, span('a'), span('k')),
    /round/,
  );
  assert.throws(() => encodeVerdict(buffer, 0, 1.5, 1, accepted, 1, 0, span('a'), span('k')), /time/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 0, 0, span('a'), span('k')), /amount/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 2 ** 53, 0, span('a'), span('k')), /amount/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 5, span('a'), span('k')), /extra/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, full, 100, 100, span('a'), span('k')), /extra/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, 7, 1, 0, span('a'), span('k')), /code/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 0, span(''), span('k')), /investor/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 0, span('a b'), span('k')), /investor/);
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 0, span('é'), span('k')), /investor/);
  assert.throws(
    () => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 0, span('\u{1f600}'), span('k')),
    /investor/,
  );
  assert.throws(() => encodeVerdict(buffer, 0, 1, 1, accepted, 1, 0, span('a'), span('k.')), /key/);
  assert.throws(() => encodeVerdict(buffer, 990, 1, 1, accepted, 1, 0, span('a'), span('k')), /buffer/);
});
