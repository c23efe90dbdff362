// A reader beside a writer: what it sees, when, and what it calls damage.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { journalStart } from '../core/journal-format.js';
import {
  openJournal,
  patch,
  roundRow,
  SEGMENT_BYTES,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';
import { JournalReader } from './journal-reader.js';

test('a reader follows the writer over many segments, and sees only what is durable', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  const { dir, head } = journal;
  const reader = new JournalReader(dir, head.journalId, journalStart(head.journalId));
  t.after(() => reader.close());
  let seen = 0;
  const drain = (durable: number) => {
    let read = reader.next(durable);
    while (read.ok && read.value !== null) {
      assert.equal(read.value.header.firstSequence, seen + 1);
      seen += read.value.header.count;
      read = reader.next(durable);
    }
    assert.ok(read.ok);
  };
  drain(head.durableSequence);
  journal.append(roundRow());
  for (let i = 0; i < 150; i++) {
    const before = head.durableSequence;
    const rows = [verdictRow(`a${i}`), verdictRow(`b${i}`), verdictRow(`c${i}`)];
    journal.append(...rows.slice(0, 1 + (i % 3)));
    if (i % 4 === 0) {
      drain(before);
      assert.equal(seen, before);
    }
    if (i % 7 === 0) drain(head.durableSequence);
  }
  drain(head.durableSequence);
  assert.ok(head.segment >= 3);
  const { segment, offset, nextSequence, previousChecksum } = head;
  assert.deepEqual(reader.position(), { segment, offset, nextSequence, previousChecksum });
});

test('a reader that was closed, or made anew at its position, goes on where it was', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  const { dir, head } = journal;
  journal.append(roundRow());
  for (let i = 0; i < 60; i++) journal.append(verdictRow(`i${i}`));
  let reader = new JournalReader(dir, head.journalId, journalStart(head.journalId));
  for (let sequence = 1; sequence <= head.durableSequence; sequence++) {
    const read = reader.next(head.durableSequence);
    assert.ok(read.ok && read.value !== null);
    assert.equal(read.value.header.firstSequence, sequence);
    reader.close();
    if (sequence % 2 === 0) reader = new JournalReader(dir, head.journalId, reader.position());
  }
  reader.close();
});

test('what should be durable and cannot be read is damage, also when it was read ahead in time', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  const { dir, head } = journal;
  journal.append(roundRow());
  const reader = new JournalReader(dir, head.journalId, journalStart(head.journalId));
  t.after(() => reader.close());
  assert.ok(reader.next(1).ok);
  const { offset } = head;
  const missing = reader.next(2);
  assert.ok(!missing.ok);
  assert.deepEqual(missing.error, { segment: 0, offset, expectedSequence: 2, reason: 'no frame' });
  journal.append(verdictRow('a'));
  const there = reader.next(2);
  assert.ok(there.ok && there.value?.header.firstSequence === 2, 'zeros that were read ahead are read again');
  journal.append(verdictRow('b'));
  patch(dir, 0, SEGMENT_BYTES - 8, Buffer.alloc(8));
  patch(dir, 0, reader.position().offset + 60, Buffer.from([0xff]));
  const broken = reader.next(3);
  assert.ok(!broken.ok && broken.error.reason === 'frame fails its checksum');
});

test('the segments of another journal are not read', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(journal.remove);
  journal.append(roundRow());
  const reader = new JournalReader(journal.dir, 'aaaaaaaa', journalStart('aaaaaaaa'));
  const read = reader.next(1);
  assert.ok(!read.ok);
  assert.match(read.error.reason, /belongs to journal/);
});
