// A journal that is built again: everything that was saved, under the ids that it had, and a refusal by name where
// something that was promised is missing.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { counterBytes } from '../../src/core/counters.js';
import { InvestmentIds } from '../../src/core/ids.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import { err, ok } from '../../src/core/result.js';
import { readCursor } from '../../src/edge/replication-cursor.js';
import { AT, verdictRow } from '../../src/workers/journal-fixture.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../../src/workers/journal-head.js';
import { JournalIndexer } from '../../src/workers/journal-indexer.js';
import { createJournal } from '../../src/workers/journal-segments.js';
import { verifyJournal } from '../../src/workers/journal-verify.js';
import { MemoryRowStore } from './memory-row-store.js';
import { mark, REBUILD_SEGMENT_BYTES, RebuildWorld } from './rebuild-world.js';
import { value } from './rows-contract.js';

let world: RebuildWorld;
beforeEach(() => {
  world = new RebuildWorld();
});
afterEach(() => world.end());

describe('when all rows are there', () => {
  test('the journal has every row, the same totals and ids, and the index builds from it', async () => {
    const journal = await world.lost(ROW_BUCKET_SEQUENCES + 3_000, 'journal');
    const before = verifyJournal(journal.dir, Number.POSITIVE_INFINITY);
    const report = value(await world.rebuild(mark(journal.journalId, journal.rows.length)));
    world.assertRebuilt(report, journal.rows);
    assert.deepEqual(report.rounds, before.rounds);
    assert.notEqual(report.journalId, journal.journalId);
    const headMemory = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
    const recovery = value(
      await JournalIndexer.recover(
        {
          journalDir: world.journalDir,
          indexDir: path.join(world.root, 'index'),
          segmentBytes: REBUILD_SEGMENT_BYTES,
          counters: new SharedArrayBuffer(counterBytes(1)),
          journalHead: headMemory,
        },
        report.lastSequence,
      ),
    );
    new JournalHead(headMemory).start(report.journalId!, recovery.report.end, recovery.report.lastSegment);
    const ids = new InvestmentIds(recovery.report.lineage);
    const old = new InvestmentIds([{ journalId: journal.journalId, firstSequence: 1 }]);
    for (const { sequence } of journal.rows) assert.equal(ids.idOf(sequence), old.idOf(sequence));
    assert.equal(
      ids.sequenceOf(old.idOf(journal.rows.length + 1)),
      0,
      'what only the lost disk had is nobody',
    );
    assert.deepEqual(value(recovery.indexer.selfCheck()).differences, []);
    await recovery.indexer.close();
  });

  test('its cursor says that they are in the store', async () => {
    const journal = await world.lost(50, 'replicated');
    const { journalId, rows } = value(await world.rebuild());
    const cursorFile = world.cursorFile;
    const cursor = readCursor(cursorFile, world.journalDir, world.store.identityText, journalId!);
    assert.deepEqual([cursor.rows.nextSequence, rows], [journal.rows.length + 1, journal.rows.length]);
    assert.equal(cursor.investors.nextSequence, 1, 'the view may lack some');
  });

  test('frames keep the epochs that they were written under', async () => {
    const journal = await world.lost(40, 'journal', (sequence) => sequence <= 20);
    await world.claim(4, journal.journalId, 21, 'journal');
    await world.save(journal.rows, 4, (sequence) => sequence > 20);
    const report = value(await world.rebuild());
    world.assertRebuilt(report, journal.rows);
    assert.deepEqual(
      [19, 20, 21].map((at) => world.journaled()[at]?.epoch),
      [1, 4, 4],
    );
    assert.equal(report.epoch, 5);
  });

  test('a second run keeps what is there', async () => {
    await world.lost(10, 'replicated');
    const first = value(await world.rebuild());
    const second = value(await world.rebuild());
    assert.deepEqual([second.kind, second.journalId, second.epoch], ['kept', first.journalId, first.epoch]);
    const none = value(
      await world.rebuild({ store: new MemoryRowStore(), journalDir: path.join(world.root, 'elsewhere') }),
    );
    assert.deepEqual([none.kind, none.journalId, none.epoch], ['kept', null, 0]);
  });
});

describe('when rows are missing', () => {
  test('at replicated, what was on its way behind a hole does not count, and nobody had been told', async () => {
    const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 40 || sequence % 3 === 0);
    const report = value(await world.rebuild(mark(journal.journalId, 40)));
    world.assertRebuilt(report, journal.rows.slice(0, 40));
    assert.match(report.warnings.join(), /rows from sequence 42 to .* do not count/);
    const epochs = value(await world.store.epochs());
    assert.deepEqual(
      epochs.map(({ epoch, journalId, firstSequence }) => [epoch, journalId, firstSequence]),
      [
        [1, journal.journalId, 1],
        [2, report.journalId, 41],
      ],
    );
  });

  test('at journal, a hole is named and the start refused', async () => {
    const journal = await world.lost(60, 'journal', (sequence) => sequence !== 30 && sequence <= 50);
    const { code, message } = await world.refused(mark(journal.journalId, 29));
    assert.equal(code, 'missing');
    assert.match(
      message,
      /sequences 30 to 50 are missing: .*rows up to sequence 50 .* 20 rows from 31 to 50 are there/,
    );
    assert.match(message, /--accept-loss-from 30/);
  });

  test('the watermark says what the rows lack, with sums', async () => {
    const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 50);
    const rounds = [{ id: 'crowd', admitted: 123_456, count: 99 }];
    const { code, message } = await world.refused(mark(journal.journalId, 55, rounds));
    assert.equal(code, 'missing');
    assert.match(message, /sequences 51 to 55 are missing: the watermark says that sequence 55 of journal/);
    assert.match(
      message,
      /round crowd: the watermark has 123456 admitted in 99 investments, the rows \d+ in \d+/,
    );
  });

  test('a later epoch of the same journal says that everything before it was there', async () => {
    const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 30);
    await world.claim(2, journal.journalId, 41, 'replicated');
    const { message } = await world.refused({});
    assert.match(
      message,
      /sequences 31 to 40 are missing: epoch 2 is on record as having begun at sequence 41/,
    );
  });

  test('an operator gives up exactly what was named, and the journal says so for ever', async () => {
    const journal = await world.lost(60, 'journal', (sequence) => sequence !== 30 && sequence <= 50);
    const wrong = await world.refused({ acceptLossFrom: 31 });
    assert.match(wrong.message, /--accept-loss-from 30 \(not 31\)/);
    const report = value(await world.rebuild({ acceptLossFrom: 30 }));
    world.assertRebuilt(report, journal.rows.slice(0, 29));
    assert.deepEqual([report.lost?.from, report.lost?.to], [30, 50]);
    const last = world.journaled().at(-1)!.row;
    assert.ok(last.kind === 'lineage');
    assert.deepEqual([last.sequence, last.lostThrough], [30, 50]);
  });

  test('a loss that there is not is not accepted', async () => {
    await world.lost(10, 'journal');
    const { code } = await world.refused({ acceptLossFrom: 5 });
    assert.equal(code, 'nothing-missing');
  });

  test('all of it: the rows of a journal that never reached the store', async () => {
    const journal = await world.lost(10, 'journal', () => false);
    const { message } = await world.refused(mark(journal.journalId, 7));
    assert.match(message, /sequences 1 to 7 are missing/);
    const report = value(await world.rebuild({ ...mark(journal.journalId, 7), acceptLossFrom: 1 }));
    world.assertRebuilt(report, []);
    const none = new InvestmentIds([{ journalId: report.journalId!, firstSequence: 1 }]);
    assert.equal(none.idOf(1), `${report.journalId}-1`);
  });

  test('a row that another hand has spoilt is a hole with a reason', async () => {
    const journal = await world.lost(20, 'replicated');
    const original = world.store.bucketRows.bind(world.store);
    world.store.bucketRows = async (round, bucket) => {
      const rows = await original(round, bucket);
      return !rows.ok
        ? rows
        : {
            ok: true,
            value: rows.value.map((one) =>
              one.sequence === 10 ? { ...one, row: { ok: false, error: 'amount is -1' } } : one,
            ),
          };
    };
    const { message } = await world.refused(mark(journal.journalId, 15));
    assert.match(message, /sequences 10 to 15 are missing: .*the row 10 cannot be read: amount is -1/);
  });
});

describe('of several nodes', () => {
  test('rows of an old epoch behind a takeover do not count, whenever they were written', async () => {
    const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 40);
    const first = value(await world.rebuild());
    assert.equal(first.rows, 40);
    // The paused node comes back and writes what it has, under its own epoch.
    await world.save(journal.rows, 1, (sequence) => sequence > 40);
    const own = [
      world.journaled().at(-1)!.row,
      verdictRow('late-1', { sequence: 42, at: AT }),
      verdictRow('late-2', { sequence: 43, at: AT }),
    ];
    await world.save(own, first.epoch, () => true);
    fs.rmSync(world.journalDir, { recursive: true });
    const second = value(await world.rebuild());
    world.assertRebuilt(second, [...journal.rows.slice(0, 40), ...own]);
    const last = world.journaled().at(-1)!.row;
    assert.deepEqual(last.kind === 'lineage' && last.lineage, [
      { journalId: journal.journalId, firstSequence: 1 },
      { journalId: first.journalId, firstSequence: 41 },
      { journalId: second.journalId, firstSequence: 44 },
    ]);
  });

  test('a stale journal is set aside where that is allowed, and is else a reason to stop', async () => {
    const journal = await world.lost(30, 'replicated');
    const stale = world.journal();
    fs.cpSync(stale.dir, world.journalDir, { recursive: true });
    const stopped = await world.rebuild();
    assert.deepEqual(stopped.ok || stopped.error.code, 'journal-present');
    const report = value(await world.rebuild({ replaceExisting: true }));
    world.assertRebuilt(report, journal.rows);
    assert.equal(report.setAside, path.join(world.root, `journal.${stale.journalId}`));
    assert.ok(fs.existsSync(path.join(report.setAside!, '0000000000.seg')));
  });

  test('a journal without a row, as a start leaves it that was refused, is in nobody’s way', async () => {
    const journal = await world.lost(30, 'replicated');
    createJournal(world.journalDir, REBUILD_SEGMENT_BYTES);
    const report = value(await world.rebuild());
    world.assertRebuilt(report, journal.rows);
    assert.equal(report.setAside, null);
  });

  test('an epoch that is not the newest builds nothing', async () => {
    await world.lost(30, 'replicated');
    assert.equal((await world.refused({ epochAbove: async () => ok(1) })).code, 'superseded');
    assert.equal((await world.refused({ epochAbove: async () => err('no answer') })).code, 'unavailable');
    const claim = world.store.claimEpoch.bind(world.store);
    world.store.claimEpoch = async (entry) => {
      await claim({ ...entry, journalId: 'faster12' });
      return claim(entry);
    };
    assert.equal((await world.refused({})).code, 'superseded');
  });
});
