// Making segments: whole or not at all, and never over one that is in use.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import {
  openJournal,
  recover,
  roundRow,
  SEGMENT_BYTES,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';
import { createJournal, createSegment, listSegments, openSegment, segmentPath } from './journal-segments.js';

test('a new journal has an id, a first segment of real zeros, and nothing unfinished', (t) => {
  const root = temporaryDirectory();
  const dir = `${root}/edge/journal`;
  t.after(() => fs.rmSync(root, { recursive: true }));
  assert.deepEqual(listSegments(dir), []);
  const journalId = createJournal(dir, 1_048_576);
  assert.match(journalId, /^[a-z0-9]{8}$/);
  assert.deepEqual(fs.readdirSync(dir), ['0000000000.seg']);
  const { size, blocks } = fs.statSync(segmentPath(dir, 0));
  assert.equal(size, 1_048_576);
  assert.ok(blocks * 512 >= size, 'no holes');
  const opened = openSegment(dir, 0, 'r', journalId);
  assert.ok(opened.ok && opened.value !== null);
  assert.deepEqual(opened.value.header, { index: 0, segmentBytes: 1_048_576, journalId });
  fs.closeSync(opened.value.fd);
  assert.throws(() => createJournal(dir, 1_048_576), /where there is none/);
});

test('a segment that is in use is never replaced by one that was made at the same time', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  journal.append(roundRow(), verdictRow('a'));
  const header = { index: 0, segmentBytes: SEGMENT_BYTES, journalId: journal.head.journalId };
  assert.equal(createSegment(journal.dir, header), false);
  assert.deepEqual(fs.readdirSync(journal.dir), ['0000000000.seg']);
  assert.equal(recover(journal.dir).rows.length, 2);
});
