// A rebuild that is disturbed, and rebuilds of rebuilds: nothing is half done, and nothing that was promised is lost.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { InvestmentIds } from '../../src/core/ids.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import type { Row } from '../../src/core/rows.js';
import { AT, roundRow, verdictRow } from '../../src/workers/journal-fixture.js';
import { RebuildWorld } from './rebuild-world.js';
import { epochAt, value } from './rows-contract.js';

let world: RebuildWorld;
beforeEach(() => {
  world = new RebuildWorld();
});
afterEach(() => world.end());

describe('when something fails on the way', () => {
  test('nothing has changed, and the next run begins anew', async () => {
    const journal = await world.lost(2 * ROW_BUCKET_SEQUENCES, 'replicated');
    for (const step of ['identity', 'controlRows', 'bucketRows', 'claimEpoch'] as const) {
      const original = world.store[step];
      world.store[step] = (async () => ({
        ok: false,
        error: { code: 'unavailable', message: step },
      })) as never;
      const failed = await world.refused({});
      assert.deepEqual(failed, { code: 'unavailable', message: step });
      world.store[step] = original as never;
    }
    world.assertRebuilt(value(await world.rebuild()), journal.rows);
  });

  test('a host that comes back in between is waited for', async () => {
    const journal = await world.lost(100, 'replicated');
    const original = world.store.bucketRows.bind(world.store);
    let failures = 2;
    world.store.bucketRows = async (round, bucket) =>
      failures-- > 0
        ? { ok: false, error: { code: 'unavailable', message: 'away' } }
        : original(round, bucket);
    world.assertRebuilt(value(await world.rebuild()), journal.rows);
  });

  test('what a run that was killed has left is in nobody’s way', async () => {
    const journal = await world.lost(30, 'replicated');
    fs.mkdirSync(path.join(world.root, 'journal.rebuild'));
    fs.writeFileSync(path.join(world.root, 'journal.rebuild', '0000000000.seg'), 'half');
    world.assertRebuilt(value(await world.rebuild()), journal.rows);
  });

  test('rows that contradict each other are not made a journal of', async () => {
    const journal = await world.lost(30, 'replicated');
    const entry = world.store.data.entries.get('5 1')!;
    world.store.data.entries.set('5 1', {
      ...entry,
      round: 'crowd',
      row: { ...journal.rows[3]!, sequence: 5 } as Row,
    });
    const { code, message } = await world.refused({});
    assert.equal(code, 'unsound');
    assert.match(message, /second verdict|has investment/);
  });

  test('a directory that cannot be written is said as it is', async () => {
    await world.lost(5, 'replicated');
    fs.writeFileSync(path.join(world.root, 'a-file'), '');
    const result = await world.rebuild({ journalDir: path.join(world.root, 'a-file', 'journal') });
    assert.deepEqual(result.ok || result.error.code, 'disk');
  });
});

test('whatever was lost and however often, what was replicated stays, under its id', async () => {
  const node = fc.record({
    rows: fc.integer({ min: 0, max: 30 }),
    replicated: fc.integer({ min: 0, max: 100 }),
    holes: fc.array(fc.boolean(), { maxLength: 8 }),
    late: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 5 }), async (nodes) => {
      world.end();
      world = new RebuildWorld();
      const promised: { row: Row; id: string }[] = [];
      let journalId = 'original';
      let [epoch, first] = [1, 1];
      value(await world.store.claimEpoch(epochAt(epoch, journalId, 1)));
      let held: Row[] = [];
      let hasRound = false;
      let lateRows: { row: Row; epoch: number }[] = [];
      for (const { rows, replicated, holes, late } of nodes) {
        const fresh: Row[] = [];
        const start = first + held.length;
        for (let i = 0; i < rows; i++) {
          const sequence = start + i;
          fresh.push(
            i === 0 && !hasRound
              ? { ...roundRow('created'), sequence }
              : verdictRow(`i-${epoch}-${sequence}`, { sequence, at: AT }),
          );
        }
        const mine = [...held, ...fresh];
        const prefix = Math.round((mine.length * replicated) / 100);
        const arrived = mine.filter((_, at) => at < prefix || holes[at - prefix] === true);
        await world.save(arrived, epoch, () => true);
        // Replies wait for everything before them: only the prefix has been told to anybody.
        let contiguous = prefix;
        while (contiguous < mine.length && holes[contiguous - prefix] === true) contiguous++;
        for (const row of mine.slice(0, contiguous)) {
          promised.push({ row, id: `${journalId}-${row.sequence.toString(36)}` });
        }
        if (late) lateRows = [...lateRows, ...mine.map((row) => ({ row, epoch }))];
        fs.rmSync(world.journalDir, { recursive: true, force: true });
        const report = value(await world.rebuild());
        for (const one of lateRows) await world.save([one.row], one.epoch, () => true);
        const found = world.journaled();
        const lineage = found.at(-1)!.row;
        assert.ok(lineage.kind === 'lineage');
        const ids = new InvestmentIds(lineage.lineage);
        for (const { row, id } of promised) {
          assert.deepEqual(found[row.sequence - 1]?.row, row);
          assert.equal(ids.idOf(row.sequence), id);
        }
        hasRound = found.some(({ row }) => row.kind === 'round');
        journalId = report.journalId!;
        epoch = report.epoch;
        first = report.lastSequence;
        held = [lineage];
      }
    }),
    { numRuns: 25 },
  );
});
