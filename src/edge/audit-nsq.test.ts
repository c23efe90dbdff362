// What an audit makes of what NSQ tells, while messages move: nothing is called lost that is somewhere, and what is
// nowhere is named.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOPICS } from '../core/messages.js';
import type { NsqView } from '../engines/nsq/nsq-view.js';
import { Findings } from '../workers/audit-findings.js';
import { describeNsq, readNsq } from './audit-nsq.js';

/** One nsqd with so many messages in flight, by topic. */
function view(inFlight: Readonly<Record<string, number>> = {}, more: Partial<NsqView> = {}): NsqView {
  const topics = Object.entries(inFlight).map(([name, count]) => {
    const channel = { name: 'c', depth: 0, inFlight: count, deferred: 0, clients: 1, paused: false };
    return { name, depth: 0, inMemory: 0, paused: false, channels: [channel] };
  });
  const nsqd = { url: 'u', tcpAddress: 'a', version: '1', health: 'OK', clockSkewMs: 0, topics };
  return { nsqds: [nsqd], lookups: [], unread: [], unknown: [], ...more };
}

/** Looks in turn at the views, and between P1 and P2 the outbox goes from `before` to `after`. */
async function lost(
  views: readonly NsqView[],
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>> = before,
  quarantined: readonly string[] = [],
): Promise<readonly (string | undefined)[]> {
  const findings = new Findings();
  const looks = [...views];
  const outbox = [before, after];
  await readNsq(
    {
      look: async () => looks.shift() ?? view(),
      published: () => new Map(Object.entries(outbox.shift() ?? after)),
    },
    quarantined,
    findings,
  );
  return findings.all().list.map(({ investment }) => investment);
}

test('published, and nowhere to be found: each is named', async () => {
  assert.deepEqual(await lost([], { a: 1, b: 3 }), ['a', 'b']);
  assert.deepEqual(await lost([], {}), []);
  assert.deepEqual(await lost([], { a: 1, b: 1 }, undefined, ['a']), ['b'], 'the ledger has put it away');
});

test('what is on the way anywhere, or was missed by one look only, is not lost', async () => {
  for (const topic of [TOPICS.investments, TOPICS.outcomes])
    assert.deepEqual(await lost([view({ [topic]: 1 })], { a: 1 }), []);
  assert.deepEqual(await lost([view(), view({ [TOPICS.outcomes]: 1 })], { a: 1 }), [], 'it moved');
  assert.deepEqual(await lost([view(), view(), view({ [TOPICS.investments]: 1 })], { a: 1 }), []);
});

test('what has its outcome by then, or was published again, is not lost', async () => {
  assert.deepEqual(await lost([], { a: 1, b: 1, c: 1 }, { b: 2, c: 1 }), ['c']);
});

test('without every nsqd nothing can be called lost, and who is missing is said', async () => {
  const away = view({}, { unread: [{ place: 'nsqd http://b', reason: 'ECONNREFUSED' }] });
  assert.deepEqual(await lost([away], { a: 1 }), []);
  assert.deepEqual(await lost([view(), away], { a: 1 }), []);
  assert.deepEqual(await lost([view({}, { unknown: ['b:4150'] })], { a: 1 }), []);
  assert.deepEqual(await lost([view({}, { nsqds: [] })], { a: 1 }), []);
  assert.match(describeNsq({ view: away, published: 0 }), /at 1 nsqds; nsqd http:\/\/b: ECONNREFUSED$/);
});
