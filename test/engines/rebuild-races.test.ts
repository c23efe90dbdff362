// Takeovers that meet each other, an owner that goes on, or their own death: what one of them has told stays, and rows of
// another line count nowhere, whenever they arrive.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { EpochBook } from '../../src/core/epochs.js';
import { InvestmentIds } from '../../src/core/ids.js';
import { ok } from '../../src/core/result.js';
import { foundEpoch } from '../../src/edge/found-epoch.js';
import type { RebuildOptions } from '../../src/edge/rebuild.js';
import { AT, verdictRow } from '../../src/workers/journal-fixture.js';
import { mark, RebuildWorld } from './rebuild-world.js';
import { value } from './rows-contract.js';

let world: RebuildWorld;
beforeEach(() => {
  world = new RebuildWorld();
});
afterEach(() => world.end());

/** The options of a rebuild on another disk, under this epoch. */
function elsewhere(name: string, epoch: number): Partial<RebuildOptions> {
  return {
    journalDir: path.join(world.root, name),
    cursorFile: path.join(world.root, `${name}.json`),
    epochAbove: async () => ok(epoch),
  };
}

const countsAt = (sequence: number): Promise<number | undefined> =>
  world.store.epochs().then((epochs) => new EpochBook(value(epochs)).at(sequence)?.epoch);

test('of the rows of the old owner that arrive meanwhile those count that were read, and no later ones', async () => {
  const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 40);
  const read = world.store.bucketRows.bind(world.store);
  world.store.bucketRows = async (round, bucket) => {
    const rows = await read(round, bucket);
    await world.save(journal.rows, 1, (sequence) => sequence <= 45);
    return rows;
  };
  const report = value(await world.rebuild());
  // Rows of the first round had been read before they came, those of the second one had not.
  world.assertRebuilt(report, journal.rows.slice(0, 41));
  assert.equal(await countsAt(41), 1);
  for (const late of [42, 43, 45]) assert.equal(await countsAt(late), report.epoch, `row ${late}`);
});

describe('a node that was paused between its reading and its claim', () => {
  test('takes nothing back that the one after it has told, when it claims at last', async () => {
    const journal = await world.lost(60, 'replicated', (sequence) => sequence <= 40);
    const claim = world.store.claimEpoch.bind(world.store);
    const taken: Awaited<ReturnType<RebuildWorld['rebuild']>>[] = [];
    world.store.claimEpoch = async (entry) => {
      world.store.claimEpoch = claim;
      // While it sleeps one more row of the old owner arrives, and another node takes over with it.
      await world.save(journal.rows, 1, (sequence) => sequence <= 41);
      taken.push(await world.rebuild(elsewhere('third', 3)));
      return claim(entry);
    };
    const late = value(await world.rebuild(elsewhere('second', 2)));
    const told = value(taken[0]!);
    assert.deepEqual([late.rows, told.rows], [40, 41]);
    assert.equal(await countsAt(41), 1, 'the row that the third node has journaled, and may have told of');
    const own = verdictRow('of-the-third', { sequence: 43, at: AT });
    await world.save([own], 3, () => true);

    const fourth = value(await world.rebuild(mark(told.journalId!, 43, [], 3)));
    assert.equal(fourth.rows, 43);
    const rows = world.journaled().map(({ row }) => row);
    assert.deepEqual([rows[40], rows[42]], [journal.rows[40], own]);
    const lineage = rows.at(-1)!;
    assert.ok(lineage.kind === 'lineage');
    assert.equal(new InvestmentIds(lineage.lineage).journalOf(41), journal.journalId);
    assert.deepEqual(
      lineage.lineage.map(({ firstSequence }) => firstSequence),
      [1, 42, 44],
    );
  });
});

describe('a takeover that came to nothing', () => {
  /** A node claims its epoch, and dies before its journal is in place; the old owner goes on with its disk. */
  async function abandoned(): Promise<Awaited<ReturnType<RebuildWorld['lost']>>> {
    const journal = await world.lost(40, 'journal');
    value(await world.rebuild(elsewhere('died', 2)));
    fs.cpSync(journal.dir, world.journalDir, { recursive: true });
    return journal;
  }

  test('the journal that went on while the store was away is kept, and its rows count when it is back', async () => {
    const journal = await abandoned();
    const options = { replaceExisting: true, ...mark(journal.journalId, journal.rows.length + 9, [], 3) };
    const kept = value(await world.rebuild(options));
    assert.deepEqual([kept.kind, kept.journalId], ['kept', journal.journalId]);
    await world.claim(3, journal.journalId, journal.rows.length + 10, 'journal');
    assert.equal(await countsAt(journal.rows.length + 1), 1, 'not the lineage row of the dead one');
  });

  test('and what it has told since is missed by name where its disk is not', async () => {
    const journal = await abandoned();
    fs.rmSync(world.journalDir, { recursive: true });
    const end = journal.rows.length + 1;
    const result = await world.rebuild(mark(journal.journalId, end + 8, [], 3));
    assert.match(
      result.ok ? 'built' : result.error.message,
      new RegExp(`sequences ${end + 1} to ${end + 8} are missing`),
    );
  });

  test('an older journal that did not go on is replaced, whatever its watermark was', async () => {
    const journal = await abandoned();
    const options = { replaceExisting: true, ...mark(journal.journalId, journal.rows.length, [], 1) };
    assert.equal(value(await world.rebuild(options)).kind, 'rebuilt');
  });
});

describe('a node that dies right after its takeover', () => {
  test('is followed by the next one, although its watermark speaks of its lineage row', async () => {
    const journal = await world.lost(30, 'replicated');
    const first = value(await world.rebuild(elsewhere('died', 2)));
    const second = value(await world.rebuild(mark(first.journalId!, first.lastSequence, [], 2)));
    assert.equal(second.rows, journal.rows.length + 1);
  });

  test('leaves on record which loss was accepted', async () => {
    await world.lost(60, 'journal', (sequence) => sequence !== 30 && sequence <= 50);
    value(await world.rebuild({ ...elsewhere('died', 2), acceptLossFrom: 30 }));
    value(await world.rebuild());
    const accepted = world.journaled()[29]!.row;
    assert.deepEqual([accepted.kind, accepted.kind === 'lineage' && accepted.lostThrough], ['lineage', 50]);
  });

  test('is none that the store has not heard of: a row that cannot be saved ends it', async () => {
    const journal = await world.lost(30, 'replicated');
    const write = world.store.write.bind(world.store);
    world.store.write = async () => ({ ok: false, error: { code: 'unavailable', message: 'away' } });
    assert.equal((await world.refused({})).code, 'unavailable');
    world.store.write = write;
    world.assertRebuilt(value(await world.rebuild()), journal.rows);
  });
});

test('an epoch that is put on record late is the one it would have been in its time', () => {
  const lineage = [
    { journalId: 'aaaaaaaa', firstSequence: 1 },
    { journalId: 'bbbbbbbb', firstSequence: 50 },
  ];
  const found = (epoch: number, firstSequence: number, previous: number): unknown[] => {
    const entry = foundEpoch(lineage, { epoch, firstSequence, previous }, AT);
    return [entry.journalId, entry.builtAfter];
  };
  assert.deepEqual(found(1, 1, 0), ['aaaaaaaa', 0]);
  assert.deepEqual(found(2, 20, 1), ['aaaaaaaa', 0]);
  assert.deepEqual(found(4, 50, 2), ['bbbbbbbb', 2], 'its journal was built under it');
  assert.deepEqual(found(5, 60, 4), ['bbbbbbbb', 0]);
});
