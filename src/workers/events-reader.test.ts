// The events of a journal: all of them, in order, in bounded batches, from any place that is one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownLineage } from '../core/ids.js';
import type { JournalPosition } from '../core/journal-format.js';
import { EVENTS_BATCH_BYTES } from '../core/limits.js';
import type { EventBatch } from './events-protocol.js';
import { EventsReader } from './events-reader.js';
import {
  filledJournal,
  openJournal,
  outcomeRow,
  patch,
  roundRow,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';

const readerOf = (journalDir: string, journalId: string): EventsReader =>
  new EventsReader({ journalDir, journalId, lineage: ownLineage(journalId) });

const rounds = [{ number: 1, id: 'crowd', currency: 'GBP' }];

/** The ids of a batch's events. */
function idsOf({ slab, ends }: EventBatch): string[] {
  return ends.map((end, at) => {
    const text = Buffer.from(slab.subarray(at === 0 ? 0 : ends[at - 1], end)).toString();
    return (JSON.parse(text) as { id: string }).id;
  });
}

function read(reader: EventsReader, from: JournalPosition | null, durableSequence: number): EventBatch {
  const answer = reader.read({ from, durableSequence, rounds });
  assert.ok(answer.ok);
  return answer.value;
}

test('each verdict and outcome is an event, and nothing that is not durable', (t) => {
  const journal = openJournal(temporaryDirectory());
  t.after(() => journal.remove());
  journal.append(roundRow());
  journal.append(verdictRow('ann'), verdictRow('ben', { verdict: 'not-eligible' }));
  journal.append(outcomeRow('ann', 2));
  const { journalId } = journal.head;
  const reader = readerOf(journal.dir, journalId);
  const first = read(reader, null, 3);
  assert.deepEqual(idsOf(first), [`${journalId}-2.accepted`, `${journalId}-3.rejected`]);
  assert.equal(first.position.nextSequence, 4);
  assert.deepEqual(idsOf(read(reader, first.position, 3)), []);
  assert.deepEqual(idsOf(read(reader, first.position, 4)), [`${journalId}-2.settled`]);
  // From before again, as after a broker that went away; also by a reader that is new.
  for (const each of [reader, readerOf(journal.dir, journalId)]) {
    assert.equal(idsOf(read(each, null, 4)).length, 3);
    assert.deepEqual(idsOf(read(each, first.position, 4)), [`${journalId}-2.settled`]);
  }
});

test('batches are bounded, follow each other without a gap, and cross segments', (t) => {
  const journal = filledJournal(1_500);
  t.after(() => journal.remove());
  assert.ok(journal.head.segment > 0);
  const { journalId, durableSequence } = journal.head;
  const seen: string[] = [];
  let position: JournalPosition | null = null;
  let batches = 0;
  // Each time by a new reader: the place alone is enough.
  while ((position?.nextSequence ?? 1) <= durableSequence) {
    const batch: EventBatch = read(readerOf(journal.dir, journalId), position, durableSequence);
    assert.ok(batch.slab.length < EVENTS_BATCH_BYTES + 4_096);
    assert.ok(batch.ends.length > 0);
    seen.push(...idsOf(batch));
    position = batch.position;
    batches++;
  }
  assert.ok(batches > 2);
  assert.equal(seen.length, durableSequence - 1);
  assert.equal(new Set(seen).size, seen.length);
});

test('a place of another journal is not here; damage is named', (t) => {
  const journal = filledJournal(20);
  const other = filledJournal(30);
  t.after(() => journal.remove());
  t.after(() => other.remove());
  const { journalId, durableSequence } = journal.head;
  const elsewhere = read(
    readerOf(other.dir, other.head.journalId),
    null,
    other.head.durableSequence,
  ).position;
  const reader = readerOf(journal.dir, journalId);
  for (const from of [elsewhere, { ...elsewhere, segment: 99 }]) {
    assert.deepEqual(reader.read({ from, durableSequence, rounds }), {
      ok: false,
      error: { code: 'not-here' },
    });
  }
  patch(journal.dir, 0, 4096 + 60, Buffer.from([0xff]));
  const answer = reader.read({ from: null, durableSequence, rounds });
  assert.ok(!answer.ok && answer.error.code === 'damaged');
  assert.match(answer.error.message, /segment 0/);
});
