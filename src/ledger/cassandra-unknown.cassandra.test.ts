// Requests whose answer never came: a change that may have been made is found out about, never guessed and never made
// twice, whoever was first.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { skipWithoutEngine } from '../../test/harness/engine-files.js';
import { type SharedCassandra, sharedCassandra } from '../../test/harness/shared-cassandra.js';
import { type Books, done, investment, investor, settle } from './books-bench.js';
import { emptyBooks, newClient, newKeyspace, shutdownClients } from './cassandra-bench.js';
import { type FaultyClient, faultyClient } from './cassandra-faults.js';
import { openCassandraLedgerStore } from './cassandra-store.js';
import type { LedgerStore } from './store.js';

/** Long enough for a loaded machine to answer, short enough to be waited for. */
const DEADLINE_MS = 1_500;

let server: SharedCassandra;
let keyspace: string;
describe('requests without an answer', { skip: skipWithoutEngine('cassandra') }, () => {
  before(async () => {
    server = await sharedCassandra();
    keyspace = await newKeyspace(server);
  });
  after(async () => {
    await shutdownClients();
    await server.release();
  });

  interface FaultyBooks {
    readonly books: Books;
    readonly store: LedgerStore;
    readonly faulty: FaultyClient;
  }

  /** Empty books, and a store of them whose requests can go wrong. */
  async function faultyBooks(): Promise<FaultyBooks> {
    const books = await emptyBooks(server, keyspace);
    const faulty = faultyClient(newClient(server, keyspace));
    const opened = await openCassandraLedgerStore({
      client: faulty.client,
      logger: pino({ level: 'silent' }),
      nowMs: Date.now,
      deadlineMs: DEADLINE_MS,
    });
    assert.ok(opened.ok);
    return { books, store: opened.value, faulty };
  }

  const isAppend = (query: string): boolean => query.includes('IF NOT EXISTS');

  /** The first `count` appends to the log have this fate. */
  function appends(faulty: FaultyClient, count: number, fate: 'answer-lost' | 'request-lost' | 'late'): void {
    let left = count;
    faulty.fate = (query) => (isAppend(query) && left-- > 0 ? fate : 'answered');
  }

  for (const fate of ['answer-lost', 'request-lost', 'late'] as const) {
    test(`an append with ${fate} twice is made once, and is told as what it is`, async () => {
      const { store, faulty } = await faultyBooks();
      appends(faulty, 2, fate);
      assert.deepEqual(await store.openAccounts([investor('alice', 1_000)]), {
        ok: true,
        value: { opened: 1, existing: 0 },
      });
      appends(faulty, 2, fate);
      const [settled] = await settle(store, investment('a'));
      assert.ok(settled?.kind === 'outcome' && !settled.isReplay);
      appends(faulty, 2, fate);
      const transfer = { id: 't', from: 'external', to: 'investor:alice', amount: 5, currency: 'GBP' };
      const made = await done(store.transfer(transfer));
      assert.equal(made.isReplay, false);
      await faulty.arrive();
      const alice = await done(store.account('alice', 10));
      assert.deepEqual([alice?.balance, alice?.entries.length], [905, 3]);
      assert.deepEqual(await done(store.verify()), []);
      await store.close();
    });
  }

  test('the process dies without an answer, and its change was made: the next one finds it', async () => {
    const { books, store, faulty } = await faultyBooks();
    await store.openAccounts([investor('alice', 1_000)]);
    faulty.fate = (query) => (isAppend(query) ? 'answer-lost' : 'answered');
    const settled = await store.settle([investment('a')]);
    assert.deepEqual(!settled.ok && settled.error.isFatal, false);
    const next = await books.open();
    const [again] = await settle(next, investment('a'));
    assert.ok(again?.kind === 'outcome' && again.isReplay);
    assert.equal(again.outcome.state, 'settled');
    assert.equal((await done(next.account('alice', 10)))?.balance, 900);
    assert.deepEqual(await done(next.verify()), []);
    await Promise.all([store.close(), next.close()]);
  });

  test('the process dies without an answer, and its change arrives after the next process has made another: it is nothing', async () => {
    const { books, store, faulty } = await faultyBooks();
    await store.openAccounts([investor('alice', 150)]);
    faulty.fate = (query) => (isAppend(query) ? 'late' : 'answered');
    assert.equal((await store.settle([investment('a')])).ok, false);
    const next = await books.open();
    const [other] = await settle(next, investment('b'));
    assert.equal(other?.kind === 'outcome' && other.outcome.state, 'settled');
    await faulty.arrive();
    assert.equal((await done(next.account('alice', 10)))?.balance, 50);
    // The old one goes on, sees what has happened, and decides on that.
    faulty.fate = () => 'answered';
    const [declined] = await settle(store, investment('a'));
    assert.equal(declined?.kind === 'outcome' && declined.outcome.reason, 'insufficient-funds');
    assert.deepEqual(await done(store.verify()), []);
    await Promise.all([store.close(), next.close()]);
  });

  test('... and if it arrives before that, the next process decides again', async () => {
    const { books, store, faulty } = await faultyBooks();
    await store.openAccounts([investor('alice', 150)]);
    faulty.fate = (query) => (isAppend(query) ? 'late' : 'answered');
    assert.equal((await store.settle([investment('a')])).ok, false);
    const next = await books.open();
    await faulty.arrive();
    const [declined] = await settle(next, investment('b'));
    assert.equal(declined?.kind === 'outcome' && declined.outcome.reason, 'insufficient-funds');
    const [again] = await settle(next, investment('a'));
    assert.ok(again?.kind === 'outcome' && again.isReplay && again.outcome.state === 'settled');
    assert.deepEqual(await done(next.verify()), []);
    await Promise.all([store.close(), next.close()]);
  });

  test('while one change is unknown nothing else is decided, and it is finished first', async () => {
    const { store, faulty } = await faultyBooks();
    await store.openAccounts([investor('alice', 150)]);
    faulty.fate = (query) => (isAppend(query) ? 'request-lost' : 'answered');
    assert.equal((await store.settle([investment('a')])).ok, false);
    assert.equal((await store.settle([investment('b')])).ok, false);
    faulty.fate = () => 'answered';
    const settled = await settle(store, investment('b'), investment('a'));
    assert.deepEqual(
      settled.map((each) => each.kind === 'outcome' && [each.outcome.id, each.outcome.state, each.isReplay]),
      [
        ['b', 'declined', false],
        ['a', 'settled', true],
      ],
    );
    assert.deepEqual(await done(store.verify()), []);
    await store.close();
  });

  test('a change of several records that stays unfinished has not happened', async () => {
    const { books, store, faulty } = await faultyBooks();
    const lines = Array.from({ length: 4_000 }, (_, i) => investor(`investor-${i}`, 10));
    let records = 0;
    faulty.fate = (query) => (isAppend(query) && records++ > 0 ? 'late' : 'answered');
    const opened = await store.openAccounts(lines);
    assert.equal(!opened.ok && opened.error.code, 'overloaded');
    const next = await books.open();
    assert.equal((await done(next.totals())).accounts, 0);
    assert.equal((await next.openAccounts([investor('investor-1', 7)])).ok, true);
    await faulty.arrive();
    assert.deepEqual(await done(next.openAccounts(lines)), { opened: 3_999, existing: 1 });
    assert.equal((await done(next.account('investor-1', 10)))?.balance, 7);
    const totals = await done(next.totals());
    assert.deepEqual([totals.accounts, totals.entries], [4_001, 8_000]);
    assert.deepEqual(await done(next.verify()), []);
    await next.close();
    const third = await books.open();
    assert.deepEqual(await done(third.totals()), totals);
    await Promise.all([store.close(), third.close()]);
  });

  test('tables that cannot be written are behind, and nothing is lost by it', async () => {
    const { books, store, faulty } = await faultyBooks();
    await store.openAccounts([investor('alice', 1_000)]);
    faulty.fate = (query) => (query.startsWith('INSERT') && !isAppend(query) ? 'request-lost' : 'answered');
    const [first] = await settle(store, investment('a'));
    const [second] = await settle(store, investment('b'), investment('a'));
    assert.equal(second?.kind === 'outcome' && second.outcome.balance, 800);
    const next = await books.open();
    assert.equal((await done(next.account('alice', 10)))?.balance, 800);
    const [again] = await settle(next, investment('a'));
    assert.deepEqual(again, { ...first, isReplay: true });
    assert.deepEqual(await done(next.verify()), []);
    // What the old one writes late changes nothing.
    await settle(next, investment('c'));
    faulty.fate = () => 'answered';
    await store.close();
    assert.equal((await done(next.account('alice', 10)))?.balance, 700);
    assert.deepEqual(await done(next.verify()), []);
    await next.close();
  });
});
