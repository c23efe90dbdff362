// Changes of rounds: their order against journal, shards and shared memory, one at a time, by the state table.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ROUND_CHANGES_WAITING_MAX, ROUNDS_MAX } from '../core/limits.js';
import { codeOf, crowd, newRounds } from './fake-rounds.js';

const both = (name: string): string[] => [`${name} begins`, `${name} ends`];

async function opened() {
  const all = newRounds();
  await all.rounds.create(crowd);
  await all.rounds.transition('crowd', 'open');
  all.control.take();
  return all;
}

describe('the order of a change', () => {
  test('creating: durable before any shard or reader knows it', async () => {
    const { control, rounds } = newRounds();
    assert.equal(codeOf(await rounds.create(crowd)), 'ok');
    assert.deepEqual(control.take(), [
      ...both('journal created scheduled 10-200/2000'),
      ...both('shards scheduled 10-200/2000'),
      'publish scheduled 10-200/2000',
    ]);
  });

  test('opening and resuming: durable before anything can be admitted', async () => {
    const { control, rounds } = newRounds();
    await rounds.create(crowd);
    control.take();
    await rounds.transition('crowd', 'open');
    const admitting = [...both('shards open 10-200/2000'), 'publish open 10-200/2000'];
    assert.deepEqual(control.take(), [...both('journal opened open 10-200/2000'), ...admitting]);
    await rounds.transition('crowd', 'pause');
    control.take();
    await rounds.transition('crowd', 'resume');
    assert.deepEqual(control.take(), [...both('journal resumed open 10-200/2000'), ...admitting]);
  });

  for (const [action, change, state] of [
    ['pause', 'paused', 'paused'],
    ['close', 'closed', 'closed'],
  ] as const) {
    test(`${action}: nothing is admitted any more, then what was is answered, then it is journaled`, async () => {
      const { control, rounds } = await opened();
      await rounds.transition('crowd', action);
      assert.deepEqual(control.take(), [
        `publish ${state} 10-200/2000`,
        ...both(`shards ${state} 10-200/2000`),
        ...both('barrier'),
        ...both(`journal ${change} ${state} 10-200/2000`),
        `publish ${state} 10-200/2000`,
      ]);
    });
  }

  test('raising the cap: durable before the room exists', async () => {
    const { control, rounds } = await opened();
    await rounds.amend('crowd', { cap: 3_000 });
    assert.deepEqual(control.take(), [
      ...both('journal amended open 10-200/3000'),
      ...both('shards open 10-200/3000'),
      'publish open 10-200/3000',
    ]);
  });

  test('narrower and wider at once: narrows first, journals, then widens', async () => {
    const { control, rounds } = await opened();
    await rounds.amend('crowd', { cap: 3_000, minimum: 20, maximum: 500 });
    assert.deepEqual(control.take(), [
      'publish open 20-200/2000',
      ...both('shards open 20-200/2000'),
      ...both('barrier'),
      ...both('journal amended open 20-500/3000'),
      ...both('shards open 20-500/3000'),
      'publish open 20-500/3000',
    ]);
  });

  test('what could not be journaled did not happen, also where it was published first', async () => {
    const { control, rounds } = await opened();
    control.refusal = { code: 'not-durable' };
    assert.equal(codeOf(await rounds.transition('crowd', 'pause')), 'not-durable');
    assert.equal(rounds.get('crowd')?.state, 'open');
    assert.equal(control.published.get('crowd')?.state, 'open');
    assert.equal(codeOf(await rounds.create({ ...crowd, id: 'other' })), 'not-durable');
    assert.equal(rounds.get('other'), undefined);
    assert.equal(control.published.has('other'), false);
  });

  test('readers see a new definition in the turn in which it is published, not before', async () => {
    const { control, rounds } = await opened();
    const seen: unknown[] = [];
    const publish = control.publish.bind(control);
    control.publish = (definition) => {
      seen.push(rounds.get('crowd')?.cap);
      publish(definition);
      queueMicrotask(() => seen.push(rounds.get('crowd')?.cap));
    };
    await rounds.amend('crowd', { cap: 3_000 });
    assert.deepEqual(seen, [2_000, 3_000]);
  });
});

describe('changes at the same time', () => {
  test('of one round are made one after the other, each on the result of the one before', async () => {
    const { control, rounds } = await opened();
    const results = await Promise.all([
      rounds.amend('crowd', { cap: 3_000 }),
      rounds.transition('crowd', 'pause'),
      rounds.amend('crowd', { cap: 2_500 }),
      rounds.transition('crowd', 'pause'),
    ]);
    assert.deepEqual(results.map(codeOf), ['ok', 'ok', 'cap-below', 'wrong-state']);
    assert.deepEqual(
      control.take().filter((event) => event.startsWith('journal') && event.endsWith('ends')),
      ['journal amended open 10-200/3000 ends', 'journal paused paused 10-200/3000 ends'],
    );
  });

  test('of one round are bounded', async () => {
    const { rounds } = await opened();
    const changes = Array.from({ length: ROUND_CHANGES_WAITING_MAX + 1 }, (_, i) =>
      rounds.amend('crowd', { cap: 3_000 + i }),
    );
    const codes = (await Promise.all(changes)).map(codeOf);
    assert.equal(codes.at(-1), 'overloaded');
    assert.equal(codes.filter((code) => code === 'ok').length, ROUND_CHANGES_WAITING_MAX);
  });

  test('creating one id twice creates it once; numbers follow the order of creation', async () => {
    const { rounds } = newRounds();
    const results = await Promise.all([
      rounds.create(crowd),
      rounds.create(crowd),
      rounds.create({ ...crowd, id: 'b' }),
    ]);
    assert.deepEqual(results.map(codeOf), ['ok', 'round-exists', 'ok']);
    assert.deepEqual(
      rounds.list().map(({ id, number }) => [id, number]),
      [
        ['crowd', 1],
        ['b', 2],
      ],
    );
  });

  test('a control plane that fails does not block the changes after it', async () => {
    const { control, rounds } = await opened();
    const { barrier } = control;
    control.barrier = () => Promise.reject(new Error('worker died'));
    await assert.rejects(rounds.transition('crowd', 'pause'), /worker died/);
    control.barrier = barrier.bind(control);
    assert.equal(codeOf(await rounds.transition('crowd', 'pause')), 'ok');
  });
});

describe('states', () => {
  test('only the documented transitions are possible, and closed is final', async () => {
    const allowed = {
      scheduled: ['open', 'close'],
      open: ['pause', 'close'],
      paused: ['resume', 'close'],
      closed: [],
    };
    const ways = { scheduled: [], open: ['open'], paused: ['open', 'pause'], closed: ['close'] } as const;
    for (const state of ['scheduled', 'open', 'paused', 'closed'] as const) {
      for (const action of ['open', 'pause', 'resume', 'close'] as const) {
        const { rounds } = newRounds();
        await rounds.create(crowd);
        for (const step of ways[state]) await rounds.transition('crowd', step);
        const expected = (allowed[state] as readonly string[]).includes(action) ? 'ok' : 'wrong-state';
        assert.equal(codeOf(await rounds.transition('crowd', action)), expected, `${action} when ${state}`);
      }
    }
  });

  test('a closed round takes no amendment, an open one no other opening time', async () => {
    const { rounds } = await opened();
    const late = await rounds.amend('crowd', { opensAt: '2026-11-24T10:00:00Z' });
    assert.equal(codeOf(late), 'wrong-state');
    await rounds.transition('crowd', 'close');
    assert.equal(codeOf(await rounds.amend('crowd', { name: 'New' })), 'wrong-state');
    assert.equal(codeOf(await rounds.amend('crowd', { name: 'Crowd' })), 'ok');
  });

  test('an amendment that changes nothing writes nothing', async () => {
    const { control, rounds } = await opened();
    assert.equal(codeOf(await rounds.amend('crowd', {})), 'ok');
    assert.equal(codeOf(await rounds.amend('crowd', { cap: 2_000, name: 'Crowd' })), 'ok');
    assert.deepEqual(control.take(), []);
  });

  test('an unknown round is round-not-found', async () => {
    const { rounds } = newRounds();
    assert.equal(codeOf(await rounds.amend('none', {})), 'round-not-found');
    assert.equal(codeOf(await rounds.transition('none', 'open')), 'round-not-found');
  });

  test('a cap only rises, and the answer says from where', async () => {
    const { rounds } = await opened();
    const result = await rounds.amend('crowd', { cap: 1_999 });
    assert.ok(!result.ok);
    assert.deepEqual([result.error.code, result.error.members], ['cap-below', { cap: 2_000 }]);
  });

  test('members must agree with each other after an amendment', async () => {
    const { rounds } = await opened();
    for (const [body, pointer] of [
      [{ minimum: 201 }, '/minimum'],
      [{ maximum: 2_001 }, '/maximum'],
      [{ maximum: 9 }, '/minimum'],
    ] as const) {
      const result = await rounds.amend('crowd', body);
      assert.ok(!result.ok);
      assert.deepEqual([result.error.code, result.error.members], ['malformed-request', { pointer }]);
    }
    assert.equal(codeOf(await rounds.amend('crowd', { cap: 5_000, maximum: 5_000, minimum: 5_000 })), 'ok');
  });

  test('a node holds ROUNDS_MAX rounds', async () => {
    const { rounds } = newRounds();
    await rounds.restore(
      Array.from({ length: ROUNDS_MAX }, (_, i) => ({
        ...crowd,
        id: `r${i}`,
        number: i + 1,
        opensAt: null,
        closesAt: null,
        unknownBalance: 'refuse' as const,
        state: 'closed' as const,
      })),
    );
    assert.equal(codeOf(await rounds.create(crowd)), 'rounds-exhausted');
  });
});
