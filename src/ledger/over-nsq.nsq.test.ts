// A whole ledger on a real nsqd: investments in, outcomes and balances out, duplicates, a slow pace, a stop.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { httpBody } from '../../test/harness/http-call.js';
import { type Nsqd, startNsqd } from '../../test/harness/nsq.js';
import {
  type BalanceMessage,
  decodeBalanceMessage,
  decodeOutcomeMessage,
  encodeMessage,
  type OutcomeMessage,
  TOPICS,
} from '../core/messages.js';
import { until } from '../engines/bus-contract-rig.js';
import { type DeadLetter, deadTopic } from '../engines/dead-letters.js';
import { NsqBus } from '../engines/nsq/nsq-bus.js';
import type { NsqSettings } from '../engines/nsq/nsq-settings.js';
import { investment, newDirectory } from './books-bench.js';
import { call, csv, logger, optionsOf, transfer } from './ledger-bench.js';
import { type RunningLedger, startLedger } from './main.js';

const skip = skipWithoutEngine('nsqd');

async function nsqd(t: TestContext): Promise<{ nsqd: Nsqd; nsq: NsqSettings }> {
  const started = await startNsqd();
  t.after(() => started.remove());
  return {
    nsqd: started,
    nsq: { nsqd: [started.tcpAddress], nsqlookupd: [], tls: null, authSecret: null },
  };
}

async function ledger(
  t: TestContext,
  nsq: NsqSettings,
  { ratePerS = 0, dataDir = newDirectory(t) } = {},
): Promise<RunningLedger> {
  const started = await startLedger({ ...optionsOf(dataDir), ratePerS, nsq }, logger);
  assert.ok(started.ok, started.ok ? '' : started.error.message);
  t.after(() => started.value.stop());
  return started.value;
}

/** The edge's side of the bus. */
async function edge(t: TestContext, nsq: NsqSettings) {
  const bus = new NsqBus({ settings: nsq, channel: 'edge', logger });
  t.after(() => bus.close());
  const outcomes: OutcomeMessage[] = [];
  const balances: BalanceMessage[] = [];
  bus.subscribe(
    TOPICS.outcomes,
    (message) => {
      const read = decodeOutcomeMessage(message.body);
      assert.ok(read.ok);
      outcomes.push(read.value);
      message.finish();
    },
    { maxInFlight: 100 },
  );
  bus.subscribe(
    TOPICS.balances,
    (message) => {
      const read = decodeBalanceMessage(message.body);
      assert.ok(read.ok);
      balances.push(read.value);
      message.finish();
    },
    { maxInFlight: 100 },
  );
  await until(() => bus.connected, 'a connection');
  const send = async (...ids: string[]): Promise<void> => {
    const bodies = ids.map((id) => encodeMessage(investment(id, { amount: 10 })));
    assert.ok((await bus.publish(TOPICS.investments, bodies)).ok);
  };
  return { bus, outcomes, balances, send };
}

interface ChannelStats {
  readonly depth: number;
  readonly in_flight_count: number;
  readonly timeout_count: number;
}

/** What nsqd says of the ledger's channel. */
async function channel({ httpUrl }: Nsqd): Promise<ChannelStats> {
  const stats = JSON.parse(await httpBody(`${httpUrl}/stats?format=json&topic=${TOPICS.investments}`)) as {
    topics: { channels: ChannelStats[] }[];
  };
  return stats.topics[0]?.channels[0] ?? assert.fail('no channel');
}

test('investments come in by NSQ, outcomes and balances go out, a duplicate gets the same outcome', {
  skip,
}, async (t) => {
  const { nsqd: server, nsq } = await nsqd(t);
  const running = await ledger(t, nsq);
  const { outcomes, balances, send } = await edge(t, nsq);
  await call(running, '/admin/v1/accounts', csv('alice,1000,GBP,true'));
  await until(() => balances.length === 1, 'the balance of the new account');
  await send('a', 'b', 'a');
  await until(() => outcomes.length >= 2, 'two outcomes');
  await send('a');
  await until(() => outcomes.filter(({ id }) => id === 'a').length >= 2, 'the outcome once more');
  const first = outcomes.filter(({ id }) => id === 'a');
  assert.deepEqual(first[1], first[0]);
  await call(running, '/admin/v1/transfers', transfer());
  await until(() => balances.length === 2, 'the balance after the transfer');
  assert.deepEqual(
    balances.map(({ balance }) => balance),
    [1_000, 985],
  );
  const { body } = await call(running, '/admin/v1/accounts/alice');
  assert.equal(body['balance'], 985);
  let stats = await channel(server);
  const lateMs = performance.now() + 10_000;
  while (stats.depth + stats.in_flight_count > 0) {
    assert.ok(performance.now() < lateMs, 'everything is finished at nsqd');
    stats = await channel(server);
  }
});

test('poison and conflicts go to the dead letters, with reason and original; the others are settled', {
  skip,
}, async (t) => {
  const { nsq } = await nsqd(t);
  const running = await ledger(t, nsq);
  const { bus, outcomes, send } = await edge(t, nsq);
  await call(running, '/admin/v1/accounts', csv('alice,1000,GBP,true'));
  await send('a');
  await until(() => outcomes.length === 1, 'the outcome');
  const bodies = [Buffer.from('\u0000nonsense'), encodeMessage(investment('a', { amount: 11 }))];
  assert.ok((await bus.publish(TOPICS.investments, bodies)).ok);
  await send('b');
  await until(() => outcomes.length === 2, 'the outcome of the good one');
  const dead: DeadLetter[] = [];
  bus.subscribe(
    deadTopic(TOPICS.investments),
    (message) => {
      dead.push(JSON.parse(Buffer.from(message.body).toString()) as DeadLetter);
      message.finish();
    },
    { maxInFlight: 10 },
  );
  await until(() => dead.length === 2, 'two dead letters');
  dead.sort((one, other) => one.reason.localeCompare(other.reason));
  assert.deepEqual(
    dead.map(({ reason, topic, attempts, bytes }) => [reason, topic, attempts, bytes]),
    [
      ['conflict', TOPICS.investments, 1, bodies[1]?.length],
      ['unreadable', TOPICS.investments, 1, bodies[0]?.length],
    ],
  );
  assert.deepEqual(
    dead.map(({ body }) => Buffer.from(body, 'base64')),
    bodies.toReversed(),
  );
  const { body } = await call(running, '/metrics');
  assert.match(String(body['text']), /openbell_ledger_dead_letters_total\{reason="conflict"\} 1/);
  assert.match(String(body['text']), /openbell_ledger_bus_publishes_total\{result="ok"\} [1-9]/);
});

test('balances that nsqd had taken and lost are told again', { skip }, async (t) => {
  const { nsqd: server, nsq } = await nsqd(t);
  const running = await ledger(t, nsq);
  await call(running, '/admin/v1/accounts', csv('alice,1000,GBP,true', 'bob,5,GBP,true'));
  const isTaken = async (): Promise<boolean> =>
    /^openbell_ledger_balances_queued 0$/m.test(String((await call(running, '/metrics')).body['text']));
  await until(isTaken, 'nsqd has them');
  await server.kill();
  await server.restart();
  const { balances } = await edge(t, nsq);
  await until(() => balances.length >= 2, 'both balances');
  assert.deepEqual(balances.map(({ investor, balance }) => [investor, balance]).toSorted(), [
    ['alice', 1_000],
    ['bob', 5],
  ]);
});

test('what waits long for its turn is touched, and comes only once', { skip }, async (t) => {
  const { nsqd: server, nsq } = await nsqd(t);
  const running = await ledger(t, nsq, { ratePerS: 1 });
  const { outcomes, send } = await edge(t, nsq);
  await call(running, '/admin/v1/accounts', csv('alice,1000,GBP,true'));
  // The last one waits longer than nsqd would.
  const ids = Array.from({ length: 19 }, (_, i) => `slow-${i}`);
  await send(...ids);
  await until(() => outcomes.length === ids.length, 'all outcomes', 60_000);
  assert.equal((await channel(server)).timeout_count, 0);
  assert.equal(new Set(outcomes.map(({ id }) => id)).size, ids.length);
});

test('a stop gives back what was not decided, and the next ledger has it at once', { skip }, async (t) => {
  const { nsqd: server, nsq } = await nsqd(t);
  const dataDir = newDirectory(t);
  const first = await ledger(t, nsq, { ratePerS: 1, dataDir });
  const { outcomes, send } = await edge(t, nsq);
  await call(first, '/admin/v1/accounts', csv('alice,1000,GBP,true'));
  await send(...Array.from({ length: 50 }, (_, i) => `id-${i}`));
  await until(() => outcomes.length > 0, 'the first outcome');
  await first.stop();
  const second = await ledger(t, nsq, { dataDir });
  await until(() => new Set(outcomes.map(({ id }) => id)).size === 50, 'all outcomes');
  assert.equal((await channel(server)).timeout_count, 0);
  const { body } = await call(second, '/admin/v1/accounts/alice');
  assert.equal(body['balance'], 500);
});
