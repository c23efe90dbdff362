// A journal that was built again: its lineage row is read with the rest, and outlives restarts and a lost index.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Lineage } from '../core/ids.js';
import type { LineageRow } from '../core/rows.js';
import { TestNode } from './index-test-journal.js';
import { JournalAuditor } from './journal-audit.js';
import { AT, openJournal, roundRow, temporaryDirectory, verdictRow } from './journal-fixture.js';
import { JournalIndexer } from './journal-indexer.js';
import { isSound, verifyJournal } from './journal-verify.js';

function lineageRow(sequence: number, lineage: Lineage, lostThrough = 0): LineageRow {
  return { kind: 'lineage', sequence, at: AT, lineage, lostThrough };
}

test('the lineage is known after a catch-up, a restart and a rebuild of the index', async (t) => {
  const dir = temporaryDirectory();
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const node = new TestNode(dir);
  const own = node.journal.head.journalId;
  const recovered = async () => {
    const result = await JournalIndexer.recover(node.options, 0, 1);
    assert.ok(result.ok, result.ok ? '' : result.error.message);
    return result.value;
  };
  const fresh = await recovered();
  assert.deepEqual(fresh.report.lineage, [{ journalId: own, firstSequence: 1 }]);
  node.journal.append([roundRow(), verdictRow('a'), verdictRow('b')]);
  const lineage = [
    { journalId: 'lostdisk', firstSequence: 1 },
    { journalId: own, firstSequence: 4 },
  ];
  node.journal.append([lineageRow(4, lineage, 9)]);
  node.journal.append([verdictRow('c')]);
  const caughtUp = await fresh.indexer.close();
  assert.ok(caughtUp.ok && caughtUp.value.mark === 5);
  const restarted = await recovered();
  assert.deepEqual([restarted.report.lineage, restarted.report.replayedRows], [lineage, 0]);
  await restarted.indexer.close();
  fs.rmSync(path.join(dir, 'index'), { recursive: true });
  const rebuilt = await recovered();
  assert.deepEqual([rebuilt.report.lineage, rebuilt.report.replayedRows], [lineage, 5]);
  await rebuilt.indexer.close();
  node.journal.close();
});

test('a journal check takes a lineage that goes on, and names one that contradicts an earlier one', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(() => journal.remove());
  journal.append(roundRow(), verdictRow('a'));
  const first = { journalId: 'lostdisk', firstSequence: 1 };
  const second = { journalId: 'seconddk', firstSequence: 3 };
  journal.append(lineageRow(3, [first, second]));
  journal.append(lineageRow(4, [first, second, { journalId: 'thirddsk', firstSequence: 4 }]));
  const report = verifyJournal(journal.dir, Number.POSITIVE_INFINITY);
  assert.ok(isSound(report), JSON.stringify(report.problems));

  const auditor = new JournalAuditor();
  auditor.add(lineageRow(3, [first, second]));
  auditor.add(
    lineageRow(4, [
      { ...first, journalId: 'otherone' },
      { ...second, firstSequence: 4 },
    ]),
  );
  assert.deepEqual(
    auditor.problems.map(({ invariant, sequence }) => `${invariant} at ${sequence}`),
    ['lineage at 4'],
  );
});
