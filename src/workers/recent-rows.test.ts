// Rows in memory, against a plain list of them: added, committed, found again, let go of, and restored from frames.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InvestorName } from '../core/investor.js';
import { FRAME_HEADER_BYTES } from '../core/journal-format.js';
import { VERDICT_CODES, type VerdictRow } from '../core/rows.js';
import { Span } from '../core/span.js';
import { RecentRows } from './recent-rows.js';

function named(investor: string): InvestorName {
  const name = new InvestorName();
  assert.ok(name.takeText(investor));
  return name;
}

function key(text: string): Span {
  const span = new Span();
  span.setText(text);
  return span;
}

const row = (sequence: number, investor: string, amount: number): VerdictRow => ({
  ...{
    kind: 'verdict',
    sequence,
    at: 1_000,
    round: 1,
    investor,
    key: `k${amount}`,
    verdict: 'accepted',
    amount,
    extra: 0,
  },
});

function add(rows: RecentRows, investor: string, amount: number): void {
  rows.addVerdict(1_000, 1, VERDICT_CODES.accepted, amount, 0, named(investor), key(`k${amount}`));
}

test('any course of frames and of what the index takes over', () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 }).map((who) => ({ add: who })),
    },
    { weight: 1, arbitrary: fc.nat({ max: 60 }).map((count) => ({ drop: count })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rows = new RecentRows();
      const kept: VerdictRow[] = [];
      let sequence = 0;
      let amount = 0;
      for (const each of steps) {
        if ('drop' in each) {
          const gone = kept.splice(0, each.drop).at(-1);
          if (gone !== undefined) rows.dropThrough(gone.sequence);
        } else {
          rows.open();
          for (const who of each.add) {
            add(rows, `investor-${who}`, ++amount);
            kept.push(row(++sequence, `investor-${who}`, amount));
          }
          // Until it is committed a row is there, and has no sequence.
          for (const who of new Set(each.add)) {
            const newest = rows.newest(named(`investor-${who}`).hash);
            assert.equal(rows.sequence(newest), 0);
          }
          if (each.add.length > 0) rows.committed(sequence - each.add.length + 1);
        }
        assert.equal(rows.size, kept.length);
      }
      for (let who = 0; who <= 40; who++) {
        const name = `investor-${who}`;
        assert.deepEqual(
          rows.rowsOf(named(name)),
          kept.filter(({ investor }) => investor === name),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('a hundred thousand rows: the tables grow, chunks come and go, and nothing is lost', () => {
  const rows = new RecentRows();
  let sequence = 0;
  for (let frame = 0; frame < 1_000; frame++) {
    rows.open();
    for (let i = 0; i < 100; i++) add(rows, `investor-${++sequence}`, sequence);
    rows.committed(sequence - 99);
  }
  const held = rows.bytes;
  for (let who = 1; who <= sequence; who += 997) {
    assert.deepEqual(rows.rowsOf(named(`investor-${who}`)), [row(who, `investor-${who}`, who)]);
  }
  assert.ok(held / sequence < 200, `${held / sequence} bytes a row`);
  rows.dropThrough(sequence - 1);
  assert.equal(rows.size, 1);
  assert.deepEqual(rows.rowsOf(named('investor-5')), []);
  assert.ok(rows.bytes < held, 'memory of rows that are gone is given back');
});

test('frames of an earlier process are found by the shard that owns their investors', () => {
  const writing = new RecentRows();
  writing.open();
  const investors = Array.from({ length: 50 }, (_, i) => `investor-${i}`);
  for (const [i, investor] of investors.entries()) add(writing, investor, i + 1);
  const payloadEnd = writing.frame.end;
  const payload = Buffer.from(writing.frame.buffer.subarray(FRAME_HEADER_BYTES, payloadEnd));
  const shards = [0, 1].map((shard) => {
    const rows = new RecentRows();
    rows.restore(payload, 7, investors.length, (hash) => hash % 2 === shard);
    return rows;
  });
  assert.equal(shards[0]!.size + shards[1]!.size, investors.length);
  for (const [i, investor] of investors.entries()) {
    const [mine, others] = named(investor).hash % 2 === 0 ? shards : [...shards].reverse();
    assert.deepEqual(mine!.rowsOf(named(investor)), [row(7 + i, investor, i + 1)]);
    assert.deepEqual(others!.rowsOf(named(investor)), []);
  }
});
