// What the books in Cassandra are made of: two processes at once, tables that are lost and made again from the log,
// accounts of several parts, and what the auditor finds in tables that were tampered with.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Client } from 'cassandra-driver';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { type SharedCassandra, sharedCassandra } from '../../test/harness/shared-cassandra.js';
import { LEDGER_ACCOUNT_PART_ENTRIES, LEDGER_GROUP_MAX } from '../core/limits.js';
import type { OutcomeMessage } from '../core/messages.js';
import { done, investment, investor, settle } from './books-bench.js';
import { emptyBooks, newClient, newKeyspace, shutdownClients } from './cassandra-bench.js';

let server: SharedCassandra;
let keyspace: string;
let client: Client;
describe('what the books in Cassandra are made of', { skip: skipWithoutEngine('cassandra') }, () => {
  before(async () => {
    server = await sharedCassandra();
    keyspace = await newKeyspace(server);
    client = newClient(server, keyspace);
  });
  after(async () => {
    await shutdownClients();
    await server.release();
  });

  test('two processes that do not know of each other decide each id once, and spend nothing twice', async () => {
    const books = await emptyBooks(server, keyspace);
    const stores = [await books.open(), await books.open(), await books.open()];
    const [first] = stores;
    assert.ok(first);
    await first.openAccounts([investor('alice', 1_000), investor('bob', 1_000)]);
    const outcomes = new Map<string, OutcomeMessage>();
    let replays = 0;
    await Promise.all(
      stores.map(async (store, lane) => {
        for (let turn = 0; turn < 10; turn++) {
          // Each id comes to every process, at another time.
          const ids = [0, 1, 2, 3].map((n) => `id-${(turn + lane * 3 + n) % 12}`);
          const group = ids.map((id) =>
            investment(id, { investor: id < 'id-5' ? 'alice' : 'bob', amount: 300, cap: 1_500 }),
          );
          for (const settlement of await settle(store, ...group)) {
            assert.ok(settlement.kind === 'outcome');
            const { outcome } = settlement;
            assert.deepEqual(outcome, outcomes.get(outcome.id) ?? outcome);
            if (settlement.isReplay) replays++;
            outcomes.set(outcome.id, outcome);
          }
        }
      }),
    );
    assert.equal(outcomes.size, 12);
    assert.equal(replays, 3 * 10 * 4 - 12);
    const settled = [...outcomes.values()].filter((outcome) => outcome.state === 'settled');
    assert.equal(settled.length, 5);
    assert.deepEqual(await done(first.verify()), []);
    const [round] = (await done(first.totals())).rounds;
    assert.deepEqual([round?.settled, round?.escrow, round?.settledCount], [1_500, 1_500, 5]);
    await Promise.all(stores.map((store) => store.close()));
  });

  test('every table but the log can be lost: it is made again', async () => {
    const books = await emptyBooks(server, keyspace);
    let store = await books.open();
    await store.openAccounts([investor('alice', 1_000), investor('bob', 5, false)]);
    await settle(store, investment('a'), investment('b', { investor: 'bob' }));
    await store.transfer({ id: 't', from: 'investor:alice', to: 'escrow:crowd', amount: 1, currency: 'GBP' });
    const read = async () => ({
      totals: await done(store.totals()),
      alice: await done(store.account('alice', 10)),
      outcomes: await done(store.outcomes(0, 10)),
    });
    const before = await read();
    await store.close();
    for (const table of ['accounts', 'decisions', 'outcomes', 'rounds', 'outbox', 'state'])
      await client.execute(`TRUNCATE ledger_${table}`);
    store = await books.open();
    assert.deepEqual(await read(), before);
    assert.deepEqual(await done(store.verify()), []);
    const [again] = await settle(store, investment('a'));
    assert.ok(again?.kind === 'outcome' && again.isReplay);
    await store.close();
  });

  test('an account may have more entries than one partition should hold', async () => {
    const books = await emptyBooks(server, keyspace);
    let store = await books.open();
    await store.openAccounts([investor('alice', 1_000_000)]);
    const count = LEDGER_ACCOUNT_PART_ENTRIES + 50;
    for (let from = 0; from < count; from += LEDGER_GROUP_MAX) {
      const ids = Array.from(
        { length: Math.min(LEDGER_GROUP_MAX, count - from) },
        (_, i) => `long-${from + i}`,
      );
      await settle(store, ...ids.map((id) => investment(id, { amount: 1 })));
    }
    await store.close();
    store = await books.open();
    const alice = await done(store.account('alice', 100));
    assert.equal(alice?.balance, 1_000_000 - count);
    assert.deepEqual(
      alice.entries.map((entry) => [entry.id, entry.balance]),
      Array.from({ length: 100 }, (_, i) => [`long-${count - 1 - i}`, 1_000_000 - count + i]),
    );
    assert.equal((await done(store.outcomes(0, 10_000))).more, true);
    const rest = await done(store.outcomes(10_000, 10_000));
    assert.deepEqual([rest.outcomes.at(-1)?.id, rest.next, rest.more], [`long-${count - 1}`, count, false]);
    assert.deepEqual(await done(store.verify()), []);
    await store.close();
  });

  test('the check reads every row: each kind of damage is named', async () => {
    const books = await emptyBooks(server, keyspace);
    const store = await books.open();
    await store.openAccounts([investor('alice', 100), investor('bob', 100)]);
    await settle(store, investment('a', { amount: 10 }), investment('b', { amount: 10, investor: 'bob' }));
    const faults = async (): Promise<string> =>
      (await done(store.verify())).map((fault) => `${fault.invariant} ${fault.detail}`).join('\n');
    assert.equal(await faults(), '');
    // A newer timestamp than the log's positions, as somebody by hand would have.
    await client.execute(
      "UPDATE ledger_accounts SET balance = 91 WHERE account = 'investor:alice' AND part = 0",
    );
    assert.match(await faults(), /^I6 the entries of investor:alice sum to 90, its balance is 91$/);
    await client.execute(
      "UPDATE ledger_accounts SET balance = -1 WHERE account = 'investor:alice' AND part = 0",
    );
    assert.match(await faults(), /I7 investor:alice has -1/);
    await client.execute(
      "UPDATE ledger_accounts SET balance = 90 WHERE account = 'investor:alice' AND part = 0",
    );
    assert.equal(await faults(), '');
    await client.execute(
      "DELETE FROM ledger_accounts WHERE account = 'investor:bob' AND part = 0 AND version = 2",
    );
    assert.match(await faults(), /I6 the entries of investor:bob sum to 100, its balance is 90/);
    assert.match(await faults(), /I6 7 entries where there should be 8/);
    assert.match(await faults(), /I6 all accounts in GBP sum to 10/);
    await client.execute('DELETE FROM ledger_outcomes WHERE bucket = 0 AND position = 2');
    assert.match(await faults(), /I6 1 outcomes where there should be 2/);
    assert.match(await faults(), /I6 round crowd has settled 10, not 20/);
    await client.execute("DELETE FROM ledger_decisions WHERE prefix = '-' AND id = 'b'");
    assert.match(await faults(), /I6 1 ids with an outcome where there should be 2/);
    await client.execute('DELETE FROM ledger_log WHERE bucket = 0 AND position = 1');
    assert.match(await faults(), /I6 position 1 of the log is missing/);
    await store.close();
  });
});
