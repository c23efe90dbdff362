// A whole ledger: investments by the link, changes by the admin port, restarts, and starts that fail.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXIT } from '../core/exit-codes.js';
import { encodeMessage, type OutcomeMessage, TOPICS } from '../core/messages.js';
import { investment, newDirectory } from './books-bench.js';
import { call, csv, edge, logger, optionsOf, start, transfer } from './ledger-bench.js';
import { startLedger } from './main.js';

test('an investment comes in by the link, its outcome goes out, and the books say the same', async (t) => {
  const dataDir = newDirectory(t);
  const ledger = await start(t, dataDir);
  assert.deepEqual(
    (await call(ledger, '/admin/v1/accounts', csv('alice,150,GBP,true', 'bob,1,GBP,false'))).body,
    {
      opened: 2,
      existing: 0,
    },
  );
  const { bus, outcomes, balances, until } = edge(t, dataDir);
  await until(() => balances.length === 2);
  assert.deepEqual(
    balances.map(({ investor, balance, eligible, version }) => [investor, balance, eligible, version]),
    [
      ['alice', 150, true, 1],
      ['bob', 1, false, 1],
    ],
  );
  const bodies = [
    investment('a', { sequence: 7 }),
    investment('b'),
    investment('c', { investor: 'bob', amount: 1 }),
    investment('d', { investor: 'nobody' }),
    investment('e', { amount: 50, cap: 120 }),
  ];
  assert.ok((await bus.publish(TOPICS.investments, bodies.map(encodeMessage))).ok);
  await until(() => outcomes.length === 5);
  assert.deepEqual(
    outcomes.map((outcome) => [
      outcome.id,
      outcome.sequence,
      outcome.reason ?? outcome.state,
      outcome.balance,
    ]),
    [
      ['a', 7, 'settled', 50],
      ['b', 1, 'insufficient-funds', 50],
      ['c', 1, 'not-eligible', 1],
      ['d', 1, 'not-eligible', 0],
      ['e', 1, 'settled', 0],
    ],
  );
  const { body: account } = await call(ledger, '/admin/v1/accounts/alice');
  assert.deepEqual(Object.keys(account), [
    'investor',
    'currency',
    'balance',
    'eligible',
    'version',
    'entries',
  ]);
  assert.deepEqual(
    (account['entries'] as Record<string, unknown>[]).map(({ id, amount, balance, counterparty }) => [
      id,
      amount,
      balance,
      counterparty,
    ]),
    [
      ['e', -50, 0, 'escrow:crowd'],
      ['a', -100, 50, 'escrow:crowd'],
      ['opening', 150, 150, 'external'],
    ],
  );
  const { body: summary } = await call(ledger, '/admin/v1/summary?verify=true');
  assert.deepEqual(summary, {
    rounds: [
      {
        round: 'crowd',
        currency: 'GBP',
        cap: 1_000_000,
        settled: 150,
        declined: { 'insufficient-funds': 100, 'not-eligible': 101, 'cap-exceeded': 0 },
        settledCount: 2,
        declinedCount: { 'insufficient-funds': 1, 'not-eligible': 2, 'cap-exceeded': 0 },
        escrow: 150,
        transferred: 0,
        backlog: 0,
      },
    ],
    accounts: 4,
    entries: 8,
    outcomes: 5,
    entriesSum: 0,
    balancesQueued: 0,
    backlog: 0,
    quarantined: [],
    faults: [],
  });
  const { body: page } = await call(ledger, '/admin/v1/outcomes?limit=2');
  assert.deepEqual(page['outcomes'] as OutcomeMessage[], outcomes.slice(0, 2));
  assert.deepEqual([page['next'], page['more']], ['2', true]);
  const { body: rest } = await call(ledger, `/admin/v1/outcomes?after=${String(page['next'])}`);
  assert.deepEqual(rest, { outcomes: outcomes.slice(2), next: '5', more: false });
  const { body: metrics } = await call(ledger, '/metrics', {}, '');
  assert.match(String(metrics['text']), /openbell_ledger_investments_total\{outcome="settled"\} 2/);
  assert.match(String(metrics['text']), /openbell_ledger_bus_connected 1/);
});

test('a transfer by hand tells the edge the new balance; the same one again does nothing', async (t) => {
  const dataDir = newDirectory(t);
  const ledger = await start(t, dataDir);
  await call(ledger, '/admin/v1/accounts', csv('alice,10,GBP,true'));
  const { balances, until } = edge(t, dataDir);
  await until(() => balances.length === 1);
  const first = await call(ledger, '/admin/v1/transfers', transfer());
  assert.equal(first.status, 201);
  assert.equal(first.headers.get('idempotency-replayed'), null);
  await until(() => balances.length === 2);
  assert.deepEqual([balances[1]?.balance, balances[1]?.version], [15, 2]);
  const again = await call(ledger, '/admin/v1/transfers', transfer());
  assert.deepEqual([again.status, again.body], [201, first.body]);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal((await call(ledger, '/admin/v1/accounts/alice')).body['balance'], 15);
});

test('balances that the edge did not hear of wait for it over a restart', async (t) => {
  const dataDir = newDirectory(t);
  const first = await start(t, dataDir);
  await call(first, '/admin/v1/accounts', csv('alice,10,GBP,true'));
  await call(first, '/admin/v1/transfers', transfer());
  await first.stop();
  await start(t, dataDir);
  const { balances, until } = edge(t, dataDir);
  await until(() => balances.length === 1);
  assert.equal(balances[0]?.balance, 15);
});

test('probes need no token; a stopped ledger can be started again', async (t) => {
  const dataDir = newDirectory(t);
  const ledger = await start(t, dataDir);
  assert.deepEqual(
    [(await call(ledger, '/healthz', {}, '')).status, (await call(ledger, '/readyz', {}, '')).status],
    [200, 200],
  );
  await ledger.stop();
  await start(t, dataDir);
});

test('a start that fails says why, with an exit code, and leaves nothing behind', async (t) => {
  const dataDir = newDirectory(t);
  const ledger = await start(t, dataDir);
  const second = await startLedger(optionsOf(dataDir), logger);
  assert.deepEqual(!second.ok && second.error.exitCode, EXIT.tryAgain);
  const other = newDirectory(t);
  const taken = await startLedger({ ...optionsOf(other), ledgerPort: ledger.adminPort }, logger);
  assert.ok(!taken.ok);
  assert.equal(taken.error.exitCode, EXIT.tryAgain);
  assert.match(taken.error.message, new RegExp(String(ledger.adminPort)));
  // The lock, the socket and the store of the failed start are free.
  await start(t, other);
  const nowhere = await startLedger(optionsOf(join(newDirectory(t), 'a\0b')), logger);
  assert.deepEqual(!nowhere.ok && nowhere.error.exitCode, EXIT.config);
});
