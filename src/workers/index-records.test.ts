// The index's records: what is written is read again, and what was not written is refused.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DECLINE_REASONS } from '../core/messages.js';
import { STICKY_VERDICTS, type VerdictRow } from '../core/rows.js';
import { IndexDamage } from './index-damage.js';
import { decodeRow, encodeInvestor, encodeRow, INLINE_KEYS, type InvestorRecord } from './index-records.js';
import { decodeInvestor } from './indexed-investor.js';

const integer = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.constantFrom(127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1),
);
const positive = integer.map((value) => Math.max(1, value));
const attempts = fc.nat(20).chain((count) =>
  fc.tuple(
    fc.constant(count),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), positive), {
      minLength: Math.min(count, INLINE_KEYS),
      maxLength: Math.min(count, INLINE_KEYS),
    }),
  ),
);
const part = fc.tuple(
  fc.integer({ min: 1, max: 64 }),
  attempts,
  fc.option(fc.tuple(positive, positive)),
  fc.boolean(),
);
const investor: fc.Arbitrary<InvestorRecord> = fc
  .tuple(
    fc.option(fc.tuple(integer, fc.constantFrom('AAA', 'GBP', 'EUR', 'ZZZ'), fc.boolean())),
    integer,
    fc.uniqueArray(part, { selector: ([round]) => round, maxLength: 64 }),
  )
  .map(([told, balanceVersion, parts]) => ({
    known: told !== null,
    balance: told?.[0] ?? 0,
    currency: told?.[1] ?? '',
    eligible: told?.[2] ?? false,
    balanceVersion,
    rounds: parts
      .sort(([a], [b]) => a - b)
      .map(([round, [count, keys], live, settled]) => ({
        round,
        attempts: count,
        live: live?.[0] ?? 0,
        liveAmount: live?.[1] ?? 0,
        liveState: live !== null && settled ? ('settled' as const) : ('accepted' as const),
        keys: keys.flat(),
      })),
  }));

const row: fc.Arbitrary<VerdictRow> = fc.record({
  kind: fc.constant('verdict' as const),
  sequence: fc.constant(77),
  at: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  round: fc.integer({ min: 1, max: 64 }),
  investor: fc.stringMatching(/^[!-~]{1,128}$/),
  key: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  verdict: fc.constantFrom(...STICKY_VERDICTS),
  amount: positive,
  extra: integer,
});

describe('index-records', () => {
  test('an investor is read as it was written', () => {
    fc.assert(
      fc.property(investor, (record) => {
        const bytes = Buffer.from(encodeInvestor(record));
        assert.deepEqual(decodeInvestor(bytes, bytes.length), record);
        // LMDB hands out a buffer that is longer than the record.
        const longer = Buffer.concat([bytes, Buffer.alloc(20, 255)]);
        assert.deepEqual(decodeInvestor(longer, bytes.length), record);
      }),
    );
  });

  test('an investor who has only a balance takes at most 16 bytes', () => {
    const record = {
      known: true,
      eligible: true,
      balance: 123_456_789_00,
      currency: 'GBP',
      balanceVersion: 1000,
    };
    assert.ok(encodeInvestor({ ...record, rounds: [] }).length <= 16);
  });

  test('a verdict is read as it was written, and has the same length with its outcome', () => {
    const outcome = fc.option(
      fc.record({
        at: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
        reason: fc.option(fc.constantFrom(...DECLINE_REASONS)),
      }),
    );
    fc.assert(
      fc.property(row, outcome, (verdict, told) => {
        const first = Buffer.from(encodeRow(verdict, null));
        const state = verdict.verdict === 'accepted' ? 'accepted' : 'rejected';
        assert.deepEqual(decodeRow(77, first, 0, first.length), {
          ...verdict,
          state,
          reason: null,
          outcomeAt: null,
        });
        if (told === null || verdict.verdict !== 'accepted') return;
        const end = told.reason === null ? 'settled' : 'declined';
        const second = Buffer.from(encodeRow(verdict, { ...told, state: end }));
        assert.equal(second.length, first.length);
        const read = decodeRow(77, second, 0, second.length);
        assert.deepEqual(read, { ...verdict, state: end, reason: told.reason, outcomeAt: told.at });
      }),
    );
  });

  test('a record that is cut short or has unknown codes is damage', () => {
    const record = { known: true, eligible: true, balance: 300, currency: 'GBP', balanceVersion: 9 };
    const live = { live: 5, liveAmount: 300, liveState: 'settled' as const };
    const rounds = [{ round: 3, attempts: 1, ...live, keys: [7, 5] }];
    const bytes = Buffer.from(encodeInvestor({ ...record, rounds }));
    const whole = new Set([bytes.length, Buffer.from(encodeInvestor({ ...record, rounds: [] })).length]);
    for (let length = 0; length < bytes.length; length++) {
      if (!whole.has(length)) assert.throws(() => decodeInvestor(bytes, length), IndexDamage, `at ${length}`);
    }
    assert.throws(() => decodeInvestor(Buffer.from([8]), 1), IndexDamage);
    assert.throws(() => decodeRow(1, Buffer.alloc(40, 0xff), 0, 40), IndexDamage);
    assert.throws(() => decodeRow(1, Buffer.alloc(3), 0, 3), IndexDamage);
  });
});
