// A shard and the lease of its node: past it nothing is decided, and what was journaled while it ran out is told to nobody.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { LEASE_WORD_BYTES, LeaseWord } from '../../src/core/lease-word.js';
import type { RoundDefinition } from '../../src/core/round.js';
import { signToken } from '../../src/core/token-signing.js';
import type { AnswerCursor } from '../../src/edge/answer-cursor.js';
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
const HOUR_NS = 3_600_000_000_000n;

interface Bench {
  readonly word: LeaseWord;
  readonly rig: AdmissionRig;
  /** What the disk was asked for, and what was answered, in order. */
  readonly events: string[];
  /** Called after each sync. */
  onSync: () => void;
  ask(kind: number, investor: string): void;
}

async function bench(t: TestContext): Promise<Bench> {
  const dir = fs.mkdtempSync(path.join(tmpdir(), 'openbell-lease-'));
  const word = new LeaseWord(new SharedArrayBuffer(LEASE_WORD_BYTES));
  const nowNs = process.hrtime.bigint();
  word.raise(nowNs + HOUR_NS, nowNs);
  const events: string[] = [];
  const it: Bench = {
    word,
    events,
    rig: new AdmissionRig({
      dir,
      shards: 1,
      clock: () => NOW_MS,
      onBatch: () => events.push('batch'),
      onMisrouted: () => assert.fail('there is one shard'),
      lease: word,
      disk: {
        write: (fd, buffer, offset, length, position) => {
          events.push('write');
          return fs.writeSync(fd, buffer, offset, length, position);
        },
        sync: (fd) => {
          fs.fdatasyncSync(fd);
          it.onSync();
        },
      },
    }),
    onSync: () => undefined,
    ask: (kind, investor) => {
      const target = {
        answer: (cursor: AnswerCursor) => {
          const code = /"code":"([a-z-]+)"/.exec(Buffer.from(cursor.body()).toString())?.[1] ?? '';
          events.push(`${cursor.status} ${code}`.trim());
        },
        fail: ({ code }: { code: string }) => events.push(code),
        cork: (work: () => void) => work(),
      };
      const token = signToken(RIG_SECRET, { subject: investor, expiresAtS: NOW_MS / 1000 + 60 });
      const body = Buffer.from(kind === REQUEST.invest ? '{"amount":1000,"currency":"GBP"}' : '');
      assert.ok(it.rig.queue(0).add(kind, 0, 1, token, 'key', body, target));
    },
  };
  await it.rig.start();
  it.rig.changeRound('created', ROUND);
  events.length = 0;
  t.after(async () => {
    await it.rig.stop('crash');
    fs.rmSync(dir, { recursive: true });
  });
  return it;
}

test('while the lease holds, everything is as without one', async (t) => {
  const { rig, events, ask } = await bench(t);
  ask(REQUEST.invest, 'ann');
  await rig.drained();
  assert.deepEqual(events, ['batch', 'write', '201']);
});

test('past the lease nothing is decided: no row, no room taken, and every request is told', async (t) => {
  const { rig, word, events, ask } = await bench(t);
  word.end();
  ask(REQUEST.invest, 'ann');
  ask(REQUEST.readList, 'ann');
  await rig.drained();
  assert.deepEqual(events, ['batch', '503 fenced', '503 fenced']);
  assert.equal(rig.counters.room(1), ROUND.cap);
});

test('a lease that runs out between decision and sync: the row is there, and nobody is told yes', async (t) => {
  const it = await bench(t);
  it.onSync = () => it.word.end();
  it.ask(REQUEST.invest, 'ann');
  it.ask(REQUEST.invest, 'ben');
  await it.rig.drained();
  assert.deepEqual(it.events, ['batch', 'write', '503 fenced', '503 fenced']);
  it.ask(REQUEST.invest, 'ann');
  await it.rig.drained();
  assert.deepEqual(it.events.slice(4), ['batch', '503 fenced'], 'nor by the same key');
});
