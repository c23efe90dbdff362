// Nothing is told before it is on the disk: no answer leaves before its batch is synced, and none at all when the sync
// fails. One sync pays for a whole batch.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { RoundDefinition } from '../../src/core/round.js';
import { signToken } from '../../src/core/token-signing.js';
import type { AnswerCursor } from '../../src/edge/answer-cursor.js';
import type { JournalDisk } from '../../src/workers/journal-writer.js';
import { REQUEST } from '../../src/workers/protocol.js';
import { AdmissionRig, RIG_SECRET } from './admission-rig.js';

const NOW_MS = Date.parse('2026-11-23T10:00:00.000Z');
const ROUND: RoundDefinition = {
  number: 1,
  id: 'crowd',
  name: 'Crowd',
  currency: 'GBP',
  cap: 1_000_000,
  minimum: 1_000,
  maximum: 100_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'allow',
  state: 'open',
};

/** A rig whose disk says what it does, and fails from the `failing`-th sync on. */
async function start(events: string[], failing = Number.POSITIVE_INFINITY) {
  const dir = fs.mkdtempSync(path.join(tmpdir(), 'openbell-commit-'));
  let syncs = 0;
  const disk: JournalDisk = {
    write: (fd, buffer, offset, length, position) => {
      events.push('write');
      return fs.writeSync(fd, buffer, offset, length, position);
    },
    sync: (fd) => {
      syncs++;
      if (syncs >= failing) throw new Error('EIO');
      fs.fdatasyncSync(fd);
      events.push('sync');
    },
  };
  const rig = new AdmissionRig({
    dir,
    shards: 1,
    clock: () => NOW_MS,
    onBatch: () => events.push('batch'),
    onMisrouted: () => assert.fail('there is one shard'),
    disk,
    onFatal: (reason) => events.push(reason),
  });
  await rig.start();
  rig.changeRound('created', ROUND);
  events.length = 0;
  const ask = (investor: string): void => {
    const target = {
      answer: (cursor: AnswerCursor) => events.push(`answer ${cursor.status}`),
      fail: ({ code }: { code: string }) => events.push(code),
      cork: (work: () => void) => work(),
    };
    const token = signToken(RIG_SECRET, { subject: investor, expiresAtS: NOW_MS / 1000 + 60 });
    const body = Buffer.from('{"amount":1000,"currency":"GBP"}');
    assert.ok(rig.queue(0).add(REQUEST.invest, 0, 1, token, 'key', body, target));
  };
  const stop = async (): Promise<void> => {
    await rig.stop('crash');
    fs.rmSync(dir, { recursive: true });
  };
  return { rig, ask, stop };
}

test('a batch is written, synced once, and only then answered', async () => {
  const events: string[] = [];
  const { rig, ask, stop } = await start(events);
  for (const investor of ['ann', 'ben', 'cat']) ask(investor);
  await rig.drained();
  assert.deepEqual(events, ['batch', 'write', 'sync', 'answer 201', 'answer 201', 'answer 201']);
  events.length = 0;
  ask('ann');
  await rig.drained();
  assert.deepEqual(events, ['batch', 'answer 201'], 'a replay needs no write');
  await stop();
});

test('when the sync fails nobody is told yes, and nothing is tried again', { timeout: 10_000 }, async () => {
  const events: string[] = [];
  const { rig, ask, stop } = await start(events, 3);
  ask('ann');
  await rig.drained();
  events.length = 0;
  for (const investor of ['ben', 'cat']) ask(investor);
  while (!events.includes('the journal has failed')) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(events, ['batch', 'write', 'not-durable', 'not-durable', 'the journal has failed']);
  events.length = 0;
  ask('dan');
  while (!events.includes('the journal has failed')) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    events,
    ['batch', 'not-durable', 'the journal has failed'],
    'the disk is not touched again',
  );
  await stop();
});
