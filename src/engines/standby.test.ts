// Waiting for a role: for ever behind an owner, not for ever at nobody, not at all when it is told to stop.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { ETCD_START_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { type Coordination, localCoordination } from './coordination.js';
import type { AcquireFailure } from './ownership.js';
import { awaitOwnership, type StandbyModules } from './standby.js';

const HELD: AcquireFailure = {
  code: 'held',
  owner: { node: 'one', epoch: 7, since: '2026-11-23T10:00:00.000Z' },
};
const AWAY: AcquireFailure = { code: 'unreachable', message: 'connection refused' };

/** Answers these failures in turn, then gives the role; each question takes `stepMs` of the clock. */
function waiting(
  failures: readonly AcquireFailure[],
  stepMs = 0,
): StandbyModules & { readonly said: string[] } {
  const local = localCoordination();
  let asked = 0;
  let nowMs = 0;
  const coordination: Coordination = {
    ...local,
    isShared: true,
    acquire: (role) => {
      const failure = failures[asked++];
      nowMs += stepMs;
      return failure === undefined ? local.acquire(role) : Promise.resolve(err(failure));
    },
  };
  const said: string[] = [];
  return {
    coordination,
    role: 'edge',
    said,
    stopRequested: new Promise(() => undefined),
    onWaiting: async (why) => {
      said.push(why);
      return ok(undefined);
    },
    clock: () => nowMs,
    random: () => 0,
    logger: pino({ level: 'silent' }),
  };
}

describe('waiting for the rounds', () => {
  test('free: at once, without a word', async () => {
    const modules = waiting([]);
    const owned = await awaitOwnership(modules);
    assert.ok(owned.ok && owned.value.ownership.epoch === 1);
    assert.deepEqual(modules.said, []);
  });

  test('held: it says by whom, and goes on when they are free, however long that takes', async () => {
    const modules = waiting([HELD, AWAY, HELD], ETCD_START_MS);
    assert.ok((await awaitOwnership(modules)).ok);
    assert.deepEqual(modules.said, [
      'standby: node one owns the rounds under epoch 7 since 2026-11-23T10:00:00.000Z',
      'connection refused',
      'standby: node one owns the rounds under epoch 7 since 2026-11-23T10:00:00.000Z',
    ]);
  });

  test('nobody has ever answered: given up after a bounded time', async () => {
    const modules = waiting([AWAY, AWAY, AWAY], ETCD_START_MS / 2);
    const owned = await awaitOwnership(modules);
    assert.deepEqual(
      owned,
      err({ code: 'unreachable', message: 'no answer within 30 s: connection refused' }),
    );
    assert.equal(modules.said.length, 2, 'not at the first failure');
  });

  test('not let in: given up at once', async () => {
    const owned = await awaitOwnership(waiting([{ code: 'refused', message: 'wrong password' }]));
    assert.deepEqual(owned, err({ code: 'refused', message: 'wrong password' }));
  });

  test('told to stop while it waits', async () => {
    const modules = { ...waiting([HELD, HELD]), stopRequested: Promise.resolve('SIGTERM') };
    const owned = await awaitOwnership(modules);
    assert.equal(!owned.ok && owned.error.code, 'stopped');
  });

  test('its admin port is taken', async () => {
    const onWaiting = async (): Promise<Result<void, string>> => err('port 8081 is in use');
    const owned = await awaitOwnership({ ...waiting([HELD]), onWaiting });
    assert.deepEqual(owned, err({ code: 'failed', message: 'port 8081 is in use' }));
  });
});
