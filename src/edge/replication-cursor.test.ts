// A cursor counts only for the store and the journal that it is of, and where it leads to.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { filledJournal, recover, type TestJournal } from '../workers/journal-fixture.js';
import { firstCursor, type ReplicationCursor, readCursor, writeCursor } from './replication-cursor.js';

let journal: TestJournal;
let file: string;
let cursor: ReplicationCursor;
before(() => {
  journal = filledJournal(20);
  file = path.join(journal.dir, 'replicated.json');
  const end = recover(journal.dir).value!.end;
  const { journalId } = journal.head;
  cursor = { store: 'store-1', journalId, rows: end, investors: firstCursor('', journalId).investors };
});
after(() => journal.remove());

const read = (store = 'store-1', journalId = journal.head.journalId): ReplicationCursor =>
  readCursor(file, journal.dir, store, journalId);

test('it reads back as it was written', () => {
  writeCursor(file, cursor);
  assert.deepEqual(read(), cursor);
});

test('of another store or journal it is that of the beginning', () => {
  writeCursor(file, cursor);
  assert.deepEqual(read('store-2'), firstCursor('store-2', cursor.journalId));
  assert.deepEqual(read('store-1', 'otherone'), firstCursor('store-1', 'otherone'));
});

test('where it leads to no frame, or is torn or gone, it is that of the beginning', () => {
  const first = firstCursor('store-1', cursor.journalId);
  for (const rows of [
    { ...cursor.rows, offset: cursor.rows.offset + 8 },
    { ...cursor.rows, nextSequence: cursor.rows.nextSequence + 1 },
    { ...cursor.rows, previousChecksum: 1 },
    { ...cursor.rows, segment: 99 },
  ]) {
    writeCursor(file, { ...cursor, rows });
    assert.deepEqual(read(), first, JSON.stringify(rows));
  }
  for (const text of ['', '{"store":"store-1"', 'null', '{}', '{"store":"store-1","journalId":"x"}']) {
    writeFileSync(file, text);
    assert.deepEqual(read(), first, text);
  }
});
