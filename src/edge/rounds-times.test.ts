// Rounds that open and close by themselves, also after a restart.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crowd, newRounds } from './fake-rounds.js';

describe('times of rounds', () => {
  const opensAt = '2026-11-23T10:00:20Z';
  const closesAt = '2026-11-23T10:00:40Z';

  test('a round opens and closes exactly at its times', async () => {
    const { clock, rounds } = newRounds();
    await rounds.create({ ...crowd, opensAt, closesAt });
    await clock.advanceTo(Date.parse(opensAt) - 1);
    assert.equal(rounds.get('crowd')?.state, 'scheduled');
    await clock.advanceTo(Date.parse(opensAt));
    assert.equal(rounds.get('crowd')?.state, 'open');
    await clock.advanceTo(Date.parse(closesAt) - 1);
    assert.equal(rounds.get('crowd')?.state, 'open');
    await clock.advanceTo(Date.parse(closesAt));
    assert.equal(rounds.get('crowd')?.state, 'closed');
  });

  test('an amendment of the times moves them, null takes them away', async () => {
    const { clock, rounds } = newRounds();
    await rounds.create({ ...crowd, opensAt, closesAt });
    await rounds.amend('crowd', { opensAt: '2026-11-23T10:00:10Z', closesAt: null });
    await clock.advanceTo(Date.parse('2026-11-23T10:00:10Z'));
    assert.equal(rounds.get('crowd')?.state, 'open');
    await clock.advanceTo(Date.parse(closesAt));
    assert.equal(rounds.get('crowd')?.state, 'open');
  });

  test('an opening time in the past opens at once; a closing time in the past is refused', async () => {
    const { clock, rounds } = newRounds();
    await rounds.create({ ...crowd, opensAt: '2026-11-23T09:00:00Z' });
    await clock.settle();
    assert.equal(rounds.get('crowd')?.state, 'open');
    const past = await rounds.create({ ...crowd, id: 'past', closesAt: '2026-11-23T09:00:00Z' });
    assert.ok(!past.ok);
    assert.deepEqual(past.error.members, { pointer: '/closesAt' });
  });

  test('after a restart what is overdue is applied before start resolves', async () => {
    const { control, clock, rounds } = newRounds(Date.parse('2026-11-23T10:00:50Z'));
    const stored = { ...crowd, unknownBalance: 'refuse', state: 'scheduled' } as const;
    const openMs = Date.parse(opensAt);
    const closeMs = Date.parse(closesAt);
    await rounds.restore([
      { ...stored, id: 'opens', number: 1, opensAt: openMs, closesAt: null },
      { ...stored, id: 'over', number: 3, opensAt: openMs, closesAt: closeMs },
      { ...stored, id: 'ends', number: 2, opensAt: openMs, closesAt: closeMs, state: 'open' },
      { ...stored, id: 'later', number: 4, opensAt: openMs + 60_000, closesAt: null },
    ]);
    assert.deepEqual(
      rounds.list().map(({ number }) => number),
      [1, 2, 3, 4],
    );
    control.take();
    await rounds.start();
    assert.deepEqual(
      rounds.list().map(({ id, state }) => [id, state]),
      [
        ['opens', 'open'],
        ['ends', 'closed'],
        ['over', 'closed'],
        ['later', 'scheduled'],
      ],
    );
    assert.ok(!control.take().some((event) => event.startsWith('journal opened') && event.includes('over')));
    await clock.advanceTo(openMs + 60_000);
    assert.equal(rounds.get('later')?.state, 'open');
  });

  test('a timed change that fails is reported and tried again', async () => {
    const { control, clock, rounds, failures } = newRounds();
    await rounds.create({ ...crowd, opensAt });
    control.refusal = { code: 'overloaded' };
    await clock.advanceTo(Date.parse(opensAt));
    assert.deepEqual(failures, [{ code: 'overloaded' }]);
    control.refusal = null;
    await clock.advanceTo(Date.parse(opensAt) + 1_000);
    assert.equal(rounds.get('crowd')?.state, 'open');
  });

  test('a hand that was faster than the timer is no failure', async () => {
    const { clock, rounds, failures } = newRounds();
    await rounds.create({ ...crowd, opensAt });
    await rounds.transition('crowd', 'open');
    await clock.advanceTo(Date.parse(opensAt) + 5_000);
    assert.equal(rounds.get('crowd')?.state, 'open');
    assert.deepEqual(failures, []);
  });

  test('stop ends the timers', async () => {
    const { clock, rounds } = newRounds();
    await rounds.create({ ...crowd, opensAt });
    rounds.stop();
    await clock.advanceTo(Date.parse(opensAt) + 5_000);
    assert.equal(rounds.get('crowd')?.state, 'scheduled');
    assert.equal(clock.armed, 0);
  });
});
