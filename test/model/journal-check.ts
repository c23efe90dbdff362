// The journal of a model run: every row is the model's, every invariant holds at every prefix, and the sums are equal.

import assert from 'node:assert/strict';
import { must } from '../../src/core/assert.js';
import type { Counters } from '../../src/core/counters.js';
import { forEachRow } from '../../src/core/row-codec.js';
import { JournalAuditor } from '../../src/workers/journal-audit.js';
import { walkJournal } from '../../src/workers/journal-walk.js';
import type { AdmissionModel } from './admission-model.js';

/** Throws on the first difference. */
export function checkJournal(journalDir: string, model: AdmissionModel): void {
  const auditor = new JournalAuditor();
  let verdicts = 0;
  const walk = walkJournal(journalDir, Number.POSITIVE_INFINITY);
  let step = walk.next();
  while (!step.done) {
    const { header, payload } = step.value;
    const read = forEachRow(payload, header.firstSequence, header.count, (row) => {
      auditor.add(row);
      if (row.kind !== 'verdict') return;
      verdicts++;
      const expected = must(model.verdicts.get(row.sequence), `verdict ${row.sequence} of the model`);
      const { investor, round, key, amount, code } = expected;
      assert.deepEqual(
        [row.investor, row.round, row.key, row.amount, row.verdict],
        [investor, round, key, amount, code],
      );
    });
    assert.ok(read.ok);
    step = walk.next();
  }
  assert.ok(step.value.ok, 'the journal is whole');
  assert.equal(step.value.value.end.nextSequence, model.nextSequence);
  assert.equal(verdicts, model.verdicts.size);
  assert.deepEqual(auditor.problems, []);
  for (const totals of auditor.totals()) {
    const { definition, room, settled, declined, investors } = must(
      model.rounds.get(totals.number),
      'a round',
    );
    const real = [totals.admitted, totals.settled, totals.declined, totals.investors];
    assert.deepEqual(real, [definition.cap - room, settled, declined, investors]);
  }
}

/** Shared memory says what the model says. */
export function checkCounters(counters: Counters, model: AdmissionModel): void {
  for (const [number, round] of model.rounds) {
    const { room, investors, settled, declined, definition, refusedMin } = round;
    const real = [
      counters.room(number),
      counters.investors(number),
      counters.settled(number),
      counters.declined(number),
    ];
    assert.deepEqual(real, [room, investors, settled, declined], `counters of ${definition.id}`);
    assert.ok(room >= 0 && room <= definition.cap, 'I1');
    assert.ok(room < refusedMin, 'I12: what was refused for room still has none');
  }
}
