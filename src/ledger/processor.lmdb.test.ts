// The processor between a bus in the test's hands and real books: groups, repeats, poison, pace, stop and failure.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { encodeMessage, type InvestmentMessage } from '../core/messages.js';
import { err, ok } from '../core/result.js';
import type { Message } from '../engines/bus.js';
import { DeadLetters } from '../engines/dead-letters.js';
import { investment as anInvestment, done } from './books-bench.js';
import { type Ended, HeldPublisher, message } from './held-bus.js';
import { openLmdbLedgerStore } from './lmdb-store.js';
import { LedgerMetrics } from './metrics.js';
import { Processor } from './processor.js';
import type { LedgerStore } from './store.js';
import { TokenBucket } from './token-bucket.js';

const investment = (id: string, change: Partial<InvestmentMessage> = {}): InvestmentMessage =>
  anInvestment(id, { amount: 10, acceptedAt: new Date(Date.now() - 1_000).toISOString(), ...change });

const deliver = (id: string, change: Partial<InvestmentMessage> = {}): Message & Ended =>
  message(encodeMessage(investment(id, change)));

interface Bench {
  readonly processor: Processor;
  readonly publisher: HeldPublisher;
  readonly store: LedgerStore;
  readonly fatal: string[];
  /** What was put aside. */
  readonly dead: string[];
  metric(name: string): Promise<string>;
}

async function bench(
  t: TestContext,
  ratePerS = 0,
  change: (store: LedgerStore) => LedgerStore = (s) => s,
): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-processor-'));
  const opened = openLmdbLedgerStore(directory, Date.now);
  assert.ok(opened.ok);
  const store = opened.value;
  t.after(async () => {
    await store.close();
    rmSync(directory, { recursive: true });
  });
  await store.openAccounts([{ investor: 'alice', balance: 1_000, currency: 'GBP', eligible: true }]);
  const publisher = new HeldPublisher();
  const metrics = new LedgerMetrics();
  const fatal: string[] = [];
  const dead: string[] = [];
  const deadLetters = new DeadLetters({
    bus: {
      keepsMessages: true,
      publish: async (topic, [letter]) => {
        const { reason, detail } = JSON.parse(String(letter)) as { reason: string; detail: string };
        dead.push(`${topic} ${reason}: ${detail}`);
        return ok(undefined);
      },
    },
    logger: pino({ level: 'silent' }),
    nowMs: Date.now,
  });
  const processor = new Processor({
    store: change(store),
    publisher,
    deadLetters,
    bucket: new TokenBucket(ratePerS, () => performance.now()),
    metrics,
    logger: pino({ level: 'silent' }),
    nowMs: Date.now,
    onFatal: ({ message }) => fatal.push(message),
  });
  const metric = async (name: string): Promise<string> =>
    (await metrics.text()).body.split('\n').find((line) => line.startsWith(name)) ?? '';
  return { processor, publisher, store, fatal, dead, metric };
}

test('what arrives together is one group, and is finished only after the hand-over', async (t) => {
  const { processor, publisher, metric } = await bench(t);
  const messages = ['a', 'b', 'c'].map((id) => deliver(id));
  for (const each of messages) processor.accept(each);
  const { outcomes, answer } = await publisher.next(0);
  assert.deepEqual(
    outcomes.map((outcome) => [outcome.id, outcome.state, outcome.balance]),
    [
      ['a', 'settled', 990],
      ['b', 'settled', 980],
      ['c', 'settled', 970],
    ],
  );
  assert.ok(messages.every((each) => each.how === null));
  assert.equal(processor.backlog, 3);
  assert.equal(processor.backlogByRound().get('crowd'), 3);
  assert.ok(processor.lagS() >= 1);
  answer(ok(undefined));
  await Promise.all(messages.map((each) => each.ended));
  assert.ok(messages.every((each) => each.how === 'finished'));
  assert.equal(processor.backlog, 0);
  assert.equal(processor.lagS(), 0);
  assert.equal(
    await metric('openbell_ledger_investments_total{outcome="settled"}'),
    'openbell_ledger_investments_total{outcome="settled"} 3',
  );
});

test('an outcome that cannot be handed over is given again, the same one, when the message comes again', async (t) => {
  const { processor, publisher } = await bench(t);
  const first = deliver('a');
  processor.accept(first);
  const lost = await publisher.next(0);
  lost.answer(err('unreachable'));
  await first.ended;
  assert.equal(first.how, 'requeued');
  const second = deliver('a');
  processor.accept(second);
  const again = await publisher.next(1);
  assert.deepEqual(again.outcomes, lost.outcomes);
  again.answer(ok(undefined));
  await second.ended;
  assert.equal(second.how, 'finished');
});

test('a twin of a message in hand replaces it and is not settled again', async (t) => {
  const { processor, publisher } = await bench(t);
  const first = deliver('a');
  const twin = deliver('a');
  processor.accept(first);
  processor.accept(twin);
  assert.equal(first.how, 'finished');
  const { outcomes, answer } = await publisher.next(0);
  assert.equal(outcomes.length, 1);
  const late = deliver('a');
  processor.accept(late);
  answer(ok(undefined));
  await late.ended;
  assert.deepEqual([twin.how, late.how], ['finished', 'finished']);
  assert.equal(processor.backlog, 0);
});

test('a twin with another body is a conflict: dropped, counted, without an outcome', async (t) => {
  const { processor, publisher, metric, store, dead } = await bench(t);
  const first = deliver('a');
  const twin = deliver('a', { amount: 11 });
  processor.accept(first);
  processor.accept(twin);
  await twin.ended;
  assert.equal(twin.how, 'finished');
  assert.deepEqual(dead, [
    'openbell.investments.dead conflict: a: another amount than that of the same id in hand',
  ]);
  (await publisher.next(0)).answer(ok(undefined));
  await first.ended;
  const later = deliver('a', { investor: 'mallory' });
  processor.accept(later);
  await later.ended;
  assert.equal(later.how, 'finished');
  assert.match(dead[1] ?? '', /^openbell\.investments\.dead conflict: a: /);
  assert.equal(publisher.published.length, 1);
  assert.match(await metric('openbell_ledger_investments_total{outcome="conflict"}'), / 2$/);
  assert.equal((await done(store.account('alice', 1)))?.balance, 990);
});

test('poison is put aside and counted, and what comes with it is settled', async (t) => {
  const { processor, publisher, metric, dead } = await bench(t);
  const poison = [
    Buffer.from('not json'),
    Buffer.from('[]'),
    Buffer.from([0xff, 0xfe]),
    encodeMessage(investment('x'.repeat(41))),
    encodeMessage(investment('p', { round: 'No Such Round!' })),
    encodeMessage(investment('p', { investor: 'a b' })),
    encodeMessage(investment('p', { amount: 0 })),
    encodeMessage(investment('p', { amount: 1.5 })),
    encodeMessage(investment('p', { currency: 'gbp' })),
    encodeMessage(investment('p', { acceptedAt: 'yesterday' })),
  ].map(message);
  const good = deliver('a');
  for (const each of [...poison, good]) processor.accept(each);
  await Promise.all(poison.map((each) => each.ended));
  assert.ok(poison.every((each) => each.how === 'finished'));
  assert.equal(dead.length, poison.length);
  assert.ok(dead.every((each) => each.startsWith('openbell.investments.dead unreadable: ')));
  const { outcomes, answer } = await publisher.next(0);
  assert.equal(outcomes.length, 1);
  answer(ok(undefined));
  await good.ended;
  assert.match(
    await metric('openbell_ledger_investments_total{outcome="poison"}'),
    new RegExp(` ${poison.length}$`),
  );
});

test('the rate is kept over groups', async (t) => {
  const { processor, publisher, metric } = await bench(t, 200);
  const startedMs = performance.now();
  // The bucket holds 20; the other 20 come at 200 a second.
  const messages = Array.from({ length: 40 }, (_, i) => deliver(`id-${i}`));
  for (const each of messages) processor.accept(each);
  let settledCount = 0;
  for (let index = 0; settledCount < 40; index++) {
    const { outcomes, answer } = await publisher.next(index);
    settledCount += outcomes.length;
    answer(ok(undefined));
  }
  assert.ok(performance.now() - startedMs >= 95);
  assert.doesNotMatch(await metric('openbell_ledger_rate_limit_waits_total'), / 0$/);
});

test('repeats do not use up the rate', async (t) => {
  const { processor, publisher, store } = await bench(t, 10);
  const ids = Array.from({ length: 500 }, (_, i) => `id-${i}`);
  assert.ok((await store.settle(ids.map((id) => investment(id)))).ok);
  const startedMs = performance.now();
  const repeats = ids.map((id) => deliver(id));
  for (const each of repeats) processor.accept(each);
  for (let index = 0, count = 0; count < ids.length; index++) {
    const { outcomes, answer } = await publisher.next(index);
    count += outcomes.length;
    answer(ok(undefined));
  }
  await Promise.all(repeats.map((each) => each.ended));
  // At the rate they would take 50 seconds.
  assert.ok(performance.now() - startedMs < 25_000);
});

test('a stop waits for the group on its way, and gives everything else back undecided', async (t) => {
  const { processor, publisher, store } = await bench(t, 10);
  const messages = ['a', 'b', 'c'].map((id) => deliver(id));
  for (const each of messages) processor.accept(each);
  const { answer } = await publisher.next(0);
  const stopped = processor.stop();
  const late = deliver('d');
  processor.accept(late);
  answer(ok(undefined));
  await stopped;
  assert.deepEqual(
    [...messages, late].map((each) => each.how),
    ['finished', 'requeued', 'requeued', 'requeued'],
  );
  assert.equal((await done(store.totals())).outcomes, 1);
});

test('a store that fails for good ends the processor; one that is away for a moment does not', async (t) => {
  const failures = [false, true];
  const { processor, publisher, fatal } = await bench(t, 0, (store) => ({
    ...wrap(store),
    settle: async (group) => {
      const isFatal = failures.shift();
      return isFatal === undefined ? store.settle(group) : err({ message: 'disk', isFatal, isFenced: false });
    },
  }));
  const first = deliver('a');
  processor.accept(first);
  await first.ended;
  assert.equal(first.how, 'requeued');
  assert.deepEqual(fatal, []);
  const second = deliver('a');
  processor.accept(second);
  while (fatal.length === 0) await new Promise(setImmediate);
  assert.deepEqual(fatal, ['disk']);
  assert.equal(second.how, null);
  assert.equal(publisher.published.length, 0);
});

test('an older epoch is dropped, counted and told nothing; sent again by the owner of now, the same one settles', async (t) => {
  const { processor, publisher, store, metric } = await bench(t);
  assert.ok((await store.claim(1)).ok);
  const owner = deliver('a', { epoch: 5 });
  processor.accept(owner);
  (await publisher.next(0)).answer(ok(undefined));
  await owner.ended;
  const late = deliver('b', { epoch: 4 });
  processor.accept(late);
  await late.ended;
  assert.equal(late.how, 'finished');
  assert.equal(publisher.published.length, 1);
  const stale = 'openbell_ledger_investments_total{outcome="stale"}';
  assert.equal(await metric(stale), `${stale} 1`);
  // Both in hand at once, the older first: it is one investment, and the owner of now has asked for it.
  const [older, again] = [deliver('b', { epoch: 4 }), deliver('b', { epoch: 5 })];
  processor.accept(older);
  processor.accept(again);
  const { outcomes, answer } = await publisher.next(1);
  assert.deepEqual(
    outcomes.map(({ id }) => id),
    ['b'],
  );
  answer(ok(undefined));
  await again.ended;
  assert.equal(again.how, 'finished');
});

test('an investment that has to wait is never put aside, however often it comes', async (t) => {
  let isAway = true;
  const { processor, publisher, dead } = await bench(t, 0, (store) => ({
    ...wrap(store),
    settle: async (group) =>
      isAway ? err({ message: 'away', isFatal: false, isFenced: false }) : store.settle(group),
  }));
  for (const attempts of [1, 1_000, 65_535]) {
    const waiting = Object.assign(deliver('a'), { attempts });
    processor.accept(waiting);
    await waiting.ended;
    assert.equal(waiting.how, 'requeued');
  }
  isAway = false;
  const last = Object.assign(deliver('a'), { attempts: 65_535 });
  processor.accept(last);
  (await publisher.next(0)).answer(ok(undefined));
  await last.ended;
  assert.deepEqual([last.how, dead], ['finished', []]);
});

const wrap = (store: LedgerStore): LedgerStore => ({
  failed: store.failed,
  fencingToken: () => store.fencingToken(),
  claim: (token) => store.claim(token),
  roundEpoch: (round) => store.roundEpoch(round),
  settle: (group) => store.settle(group),
  openAccounts: (lines) => store.openAccounts(lines),
  transfer: (request) => store.transfer(request),
  account: (investor, entriesMax) => store.account(investor, entriesMax),
  totals: () => store.totals(),
  outcomes: (after, limit) => store.outcomes(after, limit),
  verify: () => store.verify(),
  queuedBalances: (limit) => store.queuedBalances(limit),
  balancesSent: (upTo) => store.balancesSent(upTo),
  close: () => store.close(),
});
