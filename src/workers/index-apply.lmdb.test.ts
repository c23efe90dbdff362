// The index against a plain-Map model: any rows, cut into any batches, with the process gone between any two.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { type JournalPosition, journalStart } from '../core/journal-format.js';
import { DECLINE_REASONS } from '../core/messages.js';
import type { OutcomeRow, Row, VerdictRow } from '../core/rows.js';
import { IndexApplier } from './index-apply.js';
import { IndexDamage } from './index-damage.js';
import { type IndexDb, openIndex } from './index-db.js';
import { OUTBOX_SPAN } from './index-outbox.js';
import { INLINE_KEYS, keyHash } from './index-records.js';
import { BLOCK_ROWS, blockOf } from './index-rows.js';
import { IndexModel, testRound } from './index-test-model.js';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-index-'));
after(() => fs.rmSync(base, { recursive: true, force: true }));
let opened = 0;

const JOURNAL = 'journal1';
const START = journalStart(JOURNAL);
/** Where a journal would be behind these rows; only the sequence matters here. */
const behind = (rows: readonly Row[], count: number): JournalPosition => ({
  ...START,
  offset: START.offset + count,
  nextSequence: (rows[0]?.sequence ?? 1) + count,
});

function freshDir(): string {
  opened += 1;
  return path.join(base, String(opened));
}

function openOrFail(dir: string): IndexDb {
  const db = openIndex(dir, { readOnly: false });
  assert.ok(db.ok, db.ok ? '' : db.error);
  return db.value;
}

type Command =
  | { readonly do: 'invest'; round: number; who: number; amount: number; refuse: boolean }
  | { readonly do: 'outcome'; pick: number; reason: number; balance: number; version: number }
  | { readonly do: 'amend'; round: number; cap: number };

const ROUNDS = [1, 2, 64];
const commands = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('invest' as const),
        round: fc.constantFrom(...ROUNDS),
        who: fc.nat(5),
        amount: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 2 ** 31 - 2, max: 2 ** 40 })),
        refuse: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('outcome' as const),
        pick: fc.nat(1000),
        reason: fc.integer({ min: -1, max: DECLINE_REASONS.length - 1 }),
        balance: fc.oneof(fc.nat(1000), fc.constant(Number.MAX_SAFE_INTEGER)),
        version: fc.nat(6),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('amend' as const),
        round: fc.constantFrom(...ROUNDS),
        cap: fc.nat(),
      }),
    },
  ),
  { maxLength: 120 },
);

// Names that share beginnings and contain what separates parts of a key.
const INVESTORS = ['a', 'a!', 'a!b', 'aa', '~', 'x'.repeat(128)];

function runCommand(model: IndexModel, command: Command): void {
  switch (command.do) {
    case 'invest': {
      const refusal = command.refuse ? 'insufficient-balance' : null;
      model.invest(command.round, INVESTORS[command.who]!, command.amount, refusal);
      return;
    }
    case 'outcome': {
      const open = model.open();
      const picked = open[command.pick % Math.max(1, open.length)];
      const reason = DECLINE_REASONS[command.reason] ?? null;
      if (picked !== undefined) model.outcome(picked.sequence, reason, command.balance, command.version);
      return;
    }
    case 'amend':
      model.round({ ...testRound(command.round), cap: command.cap });
  }
}

describe('index-apply', () => {
  test('equals a plain-Map model, whatever the batches and wherever the process stops', async () => {
    const cuts = fc.array(
      fc.record({ rows: fc.integer({ min: 1, max: 40 }), crash: fc.boolean(), back: fc.nat(30) }),
      {
        minLength: 1,
      },
    );
    await fc.assert(
      fc.asyncProperty(commands, cuts, async (list, plan) => {
        const model = new IndexModel();
        for (const number of ROUNDS) model.round(testRound(number));
        for (const command of list) runCommand(model, command);
        const dir = freshDir();
        let db = openOrFail(dir);
        let applier = IndexApplier.initialise(db, JOURNAL, START);
        for (let step = 0; applier.mark.position.nextSequence < model.nextSequence; step++) {
          const { rows: count, crash, back } = plan[step % plan.length]!;
          if (crash) {
            await db.close();
            db = openOrFail(dir);
            const mark = db.readMark();
            assert.ok(mark);
            applier = new IndexApplier(db, mark);
          }
          // A reader may begin anywhere before the mark: what was applied is skipped.
          const from = Math.max(1, applier.mark.position.nextSequence - back);
          const to = Math.min(model.nextSequence, applier.mark.position.nextSequence + count);
          const rows = model.rows.slice(from - 1, to - 1);
          applier.apply(rows, behind(rows, rows.length));
        }
        model.check(db);
        await db.close();
        fs.rmSync(dir, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });

  test('keeps every key of an investor, in the record and beyond', async () => {
    const model = new IndexModel();
    model.round(testRound(1));
    for (let i = 0; i < 5 * INLINE_KEYS; i++) model.invest(1, 'busy', 100);
    model.invest(1, 'busy!', 100);
    const db = openOrFail(freshDir());
    IndexApplier.initialise(db, JOURNAL, START).apply(model.rows, behind(model.rows, model.rows.length));
    model.check(db);
    assert.equal(db.getSequenceByKey(1, 'busy', 'never'), 0);
    assert.equal(db.getSequenceByKey(2, 'busy', 'key-2'), 0);
    assert.equal(db.getRow(1, 'busy!', 2), undefined);
    const firstPage = db.listRows(1, 'busy', 3);
    assert.deepEqual(
      firstPage.map(({ sequence }) => sequence),
      [41, 40, 39],
    );
    const lastPage = db.listRows(1, 'busy', 100, 12);
    assert.deepEqual(
      lastPage.map(({ sequence }) => sequence),
      [11, 10, 9, 8, 7, 6, 5, 4, 3, 2],
    );
    await db.close();
  });

  test('two keys with the same hash stay two keys', async () => {
    // FNV-1a collides on these two.
    const [one, other] = ['costarring', 'liquid'];
    assert.equal(keyHash(one), keyHash(other));
    const model = new IndexModel();
    model.round(testRound(1));
    const first = { ...model.invest(1, 'a', 100), key: one };
    const second = { ...model.invest(1, 'a', 100), key: other };
    const db = openOrFail(freshDir());
    const applier = IndexApplier.initialise(db, JOURNAL, START);
    const rows = [model.rows[0]!, first, second];
    applier.apply(rows, behind(rows, 3));
    assert.equal(db.getSequenceByKey(1, 'a', one), first.sequence);
    assert.equal(db.getSequenceByKey(1, 'a', other), second.sequence);
    await db.close();
  });

  test('refuses rows that contradict it, and changes nothing', async () => {
    const model = new IndexModel();
    model.round(testRound(1));
    model.round(testRound(2));
    const accepted = model.invest(1, 'a', 100);
    const db = openOrFail(freshDir());
    const applier = IndexApplier.initialise(db, JOURNAL, START);
    applier.apply(model.rows, behind(model.rows, 3));
    const before = db.readMark();
    const outcome = {
      kind: 'outcome',
      sequence: 4,
      at: 1,
      round: 1,
      investor: 'a',
      investment: 3,
      amount: 100,
      state: 'settled',
      reason: null,
      balance: 0,
      balanceVersion: 1,
      eligible: true,
    } as const;
    const wrong: Record<string, Row> = {
      'a gap': { ...accepted, sequence: 5 },
      'a second live investment': { ...accepted, sequence: 4, key: 'other' },
      'a round that no row has made': { ...accepted, sequence: 4, round: 3 },
      'an outcome of another amount': { ...outcome, amount: 101 },
      'an outcome in another round': { ...outcome, round: 2 },
      'an outcome of nothing': { ...outcome, investment: 2 },
    };
    for (const [what, row] of Object.entries(wrong)) {
      const good: Row = { ...accepted, sequence: row.sequence + 1, investor: 'b', key: 'k' };
      assert.throws(() => applier.apply([row, good], behind([row], 2)), IndexDamage, what);
      assert.deepEqual(db.readMark(), before, what);
      assert.equal(db.getInvestor('b'), undefined, what);
    }
    model.check(db);
    const twice: Row[] = [outcome, { ...outcome, sequence: 5 }];
    assert.throws(() => applier.apply(twice, behind(twice, 2)), IndexDamage);
    model.check(db);
    model.outcome(3, null, 0, 1);
    applier.apply(model.rows, behind(model.rows, 4));
    model.check(db);
    await db.close();
  });

  test('holds more, or less, than its mark says: that is damage, inside a block and between two', async () => {
    for (const count of [BLOCK_ROWS - 2, BLOCK_ROWS]) {
      const model = new IndexModel();
      model.round(testRound(1));
      // Refused ones: the outbox would notice accepted ones too.
      const refuse = (name: string) => model.invest(1, name, 100, 'insufficient-balance');
      while (model.rows.length < count + 1) refuse(`i-${model.nextSequence}`);
      const db = openOrFail(freshDir());
      const early = IndexApplier.initialise(db, JOURNAL, START);
      early.apply(model.rows.slice(0, count), behind(model.rows, count));
      const late = new IndexApplier(db, early.mark);
      late.apply(model.rows.slice(count), behind(model.rows, model.rows.length));
      const again = () => early.apply(model.rows.slice(count), behind(model.rows, model.rows.length));
      assert.throws(again, /row \d+ is in the index already/, `${count}`);
      model.check(db);
      db.rows.removeSync(blockOf(count + 1));
      const rows: Row[] = [refuse('more')];
      assert.throws(() => late.apply(rows, behind(rows, 1)), /row \d+ is missing/, `${count}`);
      await db.close();
    }
  });

  test('an outcome is refused when the outbox, or its investor, knows of no such investment', async () => {
    const model = new IndexModel();
    model.round(testRound(1));
    model.invest(1, 'a', 100);
    model.outcome(2, null, 0, 1);
    const spoils: Record<string, (db: IndexDb) => unknown> = {
      outbox: (db) => db.outbox.removeSync(0),
      investor: (db) => db.investors.removeSync('a'),
    };
    for (const [what, spoil] of Object.entries(spoils)) {
      const db = openOrFail(freshDir());
      const applier = IndexApplier.initialise(db, JOURNAL, START);
      applier.apply(model.rows.slice(0, 2), behind(model.rows, 2));
      spoil(db);
      assert.throws(() => applier.apply(model.rows, behind(model.rows, 3)), IndexDamage, what);
      await db.close();
    }
  });

  test('rows that wait for their outcome are found across entries of the outbox', async () => {
    const model = new IndexModel();
    model.round(testRound(1));
    const rows: Row[] = [...model.rows, model.invest(1, 'i-2', 100)];
    const [, first] = rows as [Row, VerdictRow];
    const last = 2 * OUTBOX_SPAN + 3;
    for (let sequence = 3; sequence <= last; sequence++)
      rows.push({ ...first, sequence, investor: `i-${sequence}`, key: `key-${sequence}` });
    model.outcome(2, null, 0, 1);
    const outcome = model.rows.at(-1) as OutcomeRow;
    for (let investment = 2; investment <= OUTBOX_SPAN + 1; investment++)
      rows.push({ ...outcome, sequence: rows.length + 1, investor: `i-${investment}`, investment });
    const db = openOrFail(freshDir());
    const applier = IndexApplier.initialise(db, JOURNAL, START);
    applier.apply(rows, behind(rows, rows.length));
    const open = Array.from({ length: last - OUTBOX_SPAN - 1 }, (_, i) => OUTBOX_SPAN + 2 + i);
    assert.equal(db.outboxCount(), open.length);
    const after = (sequence: number, limit: number): number[] =>
      db.outboxAfter(sequence, limit).map((row) => row.sequence);
    assert.deepEqual(after(0, 2), open.slice(0, 2));
    for (const from of [open[0]!, 2 * OUTBOX_SPAN - 1, 2 * OUTBOX_SPAN, 2 * OUTBOX_SPAN + 1]) {
      assert.deepEqual(
        after(from, 1_000_000),
        open.filter((sequence) => sequence > from),
      );
    }
    assert.deepEqual(after(open.at(-1)!, 5), []);
    await db.close();
  });
});
