// The replicator against a real Cassandra: every row arrives once it can, whatever dies or stops in between, and nothing
// is written that would not count.

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { InvestmentIds, ownLineage } from '../../src/core/ids.js';
import { ReplicatorClient } from '../../src/edge/replicator-client.js';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { sliceOf } from '../../src/engines/cassandra/row-statements.js';
import { CassandraRowStore } from '../../src/engines/cassandra/row-store.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { type SharedCassandra, sharedCassandra } from '../harness/shared-cassandra.js';
import { migrated, testOptions } from './keyspace.js';
import { assertSameRows, ReplicatedJournal, rowsInForce } from './replicated-journal.js';
import { epochAt, value } from './rows-contract.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra');

describe('the replicator', { skip }, () => {
  let shared: SharedCassandra;
  let options: CassandraOptions;
  let clusters = 0;
  before(async () => {
    shared = await sharedCassandra();
    options = await migrated(testOptions(shared.contactPoint, shared.keyspaceName()));
  });
  after(() => shared.release());
  const open = (cluster = `cluster-${++clusters}`): CassandraRowStore =>
    new CassandraRowStore(options, cluster);

  test('writes every row of the journal, by sequence and by investor, while it grows', async () => {
    const journal = new ReplicatedJournal();
    const cluster = 'all-rows';
    const store = open(cluster);
    journal.more(3_000);
    const running = journal.replicate(store);
    for (let i = 0; i < 10; i++) {
      journal.more(1_000);
      running.replicator.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await running.caughtUp();
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    const ids = new InvestmentIds(ownLineage(journal.journalId));
    const client = cassandraClient(options, 'rows');
    const sample = journal.open.slice(0, 20);
    for (const { round, investor, sequence } of sample) {
      const { id } = journal.rounds[round - 1]!;
      const mine = value(await store.investorRows({ id, number: round }, investor, 100));
      const expected = journal.rows.filter(
        (row) => 'investor' in row && row.investor === investor && row.round === round,
      );
      assert.deepEqual(mine.map(({ row }) => row.ok && row.value).reverse(), expected);
      const key = [cluster, id, sliceOf(investor), investor, sequence];
      const where = 'cluster = ? AND round = ? AND slice = ? AND investor = ? AND sequence = ?';
      const found = await client.execute(`SELECT id FROM rows_by_investor WHERE ${where}`, key, {
        prepare: true,
      });
      assert.ok(found.rows.some((row) => row['id'] === ids.idOf(sequence)));
    }
    await endClient(client);
    const { words } = running;
    assert.deepEqual([words.get('rowsInFlight'), words.get('oldestAtMs')], [0, 0]);
    await running.stop();
    await store.close();
    journal.remove();
  });

  test('goes on after a restart where it was, also with a round made before', async () => {
    const journal = new ReplicatedJournal();
    const store = open();
    journal.more(500);
    const first = journal.replicate(store, 'replicated');
    await first.caughtUp();
    await first.stop();
    journal.restart();
    journal.more(300);
    const second = journal.replicate(store);
    await second.caughtUp();
    const written = second.words.get('rows');
    assert.ok(written <= 2 * 500, `${written} rows written again, 375 were new`);
    await second.stop();
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    const epochs = value(await store.epochs());
    const began = journal.rows.length - 375 + 1;
    assert.deepEqual(
      epochs.map(({ epoch, journalId, firstSequence, ack }) => [epoch, journalId, firstSequence, ack]),
      [
        [1, journal.journalId, 1, 'replicated'],
        [2, journal.journalId, began, 'journal'],
      ],
    );
    await store.close();
    journal.remove();
  });

  test('puts epochs that ran without the store on record before their rows', async () => {
    const journal = new ReplicatedJournal();
    const store = open();
    journal.more(100);
    for (let i = 0; i < 3; i++) {
      journal.restart();
      journal.more(50);
    }
    const running = journal.replicate(store);
    await running.caughtUp();
    await running.stop();
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    assert.deepEqual(
      value(await store.epochs()).map(({ epoch }) => epoch),
      [1, 2, 3, 4],
    );
    await store.close();
    journal.remove();
  });

  test('begins again when the store is another one, or its cursor does not fit', async () => {
    const journal = new ReplicatedJournal();
    const store = open();
    journal.more(200);
    const first = journal.replicate(store);
    await first.caughtUp();
    await first.stop();
    const cursor = readFileSync(journal.cursorFile, 'utf8');
    const client = cassandraClient(options, 'rows');
    // As an operator would who has restored the tables from some time ago.
    await client.execute('TRUNCATE rows_by_round');
    await client.execute('TRUNCATE control_rows');
    await endClient(client);
    rmSync(journal.cursorFile);
    journal.restart();
    const second = journal.replicate(store);
    await second.caughtUp();
    await second.stop();
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    assert.equal(JSON.parse(readFileSync(journal.cursorFile, 'utf8')).store, JSON.parse(cursor).store);
    await store.close();
    journal.remove();
  });

  test('writes nothing where a newer epoch is on record, and stops when one appears', async () => {
    const journal = new ReplicatedJournal();
    const store = open();
    journal.more(50);
    const running = journal.replicate(store);
    await running.caughtUp();
    value(await store.claimEpoch(epochAt(2, 'usurper1', journal.rows.length + 1, 1)));
    await running.ended;
    assert.deepEqual(
      running.news.filter(({ kind }) => kind === 'fenced').length,
      1,
      JSON.stringify(running.news),
    );
    const before = journal.rows.length;
    journal.more(50);
    const again = journal.replicate(store);
    await again.ended;
    assert.match(JSON.stringify(again.news), /fenced.*epoch 2 is on record for journal usurper1/);
    assert.equal((await rowsInForce(store, journal)).length, before);
    await store.close();
    journal.remove();
  });

  test('writes nothing for a journal whose epoch is another one’s', async () => {
    const journal = new ReplicatedJournal();
    const store = open();
    value(await store.claimEpoch(epochAt(1, 'original', 1)));
    journal.more(50);
    const running = journal.replicate(store);
    await running.ended;
    assert.match(JSON.stringify(running.news), /fenced.*epoch 1 is on record for journal original/);
    assert.deepEqual(value(await store.controlRows()), []);
    await store.close();
    journal.remove();
  });

  test('as a thread of its own: it follows, is woken, and a stop leaves nothing behind', async () => {
    const journal = new ReplicatedJournal();
    const cluster = `cluster-${++clusters}`;
    let advances = 0;
    const client = new ReplicatorClient({
      options: {
        journalDir: journal.dir,
        journalId: journal.journalId,
        lineage: ownLineage(journal.journalId),
        cursorFile: journal.cursorFile,
        epoch: 1,
        firstSequence: 1,
        ack: 'replicated',
        journalHead: journal.shared,
        cassandra: options,
        cluster,
        rounds: [],
      },
      onAdvance: () => {
        advances += 1;
      },
      onFenced: (reason) => assert.fail(reason),
      logger: pino({ level: 'silent' }),
    });
    client.start();
    for (let i = 0; i < 5; i++) {
      journal.more(100);
      client.wake();
      await until('replicated', () => client.replicated >= journal.rows.length);
    }
    assert.ok(advances > 0);
    journal.more(2_000);
    await client.close();
    assert.equal(client.replicated, journal.rows.length, 'what is durable is written before the end');
    assert.equal(client.words.get('investors'), journal.rows.length);
    const store = open(cluster);
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    await store.close();
    journal.remove();
  });
});

describe('the replicator and a Cassandra that fails', { skip }, () => {
  let cassandra: Cassandra;
  let options: CassandraOptions;
  before(async () => {
    cassandra = await startCassandra();
    options = await migrated(testOptions(cassandra.contactPoint, 'openbell'));
  });
  after(() => cassandra.remove());

  test('kill -9, a pause beyond the timeouts and a start without it lose no row', async () => {
    const journal = new ReplicatedJournal();
    const store = new CassandraRowStore(options, 'openbell');
    const running = journal.replicate(store, 'replicated');
    journal.more(4_000);
    await until('the first rows', () => running.words.get('replicated') > 1_000);
    await cassandra.kill();
    journal.more(4_000);
    await until('trouble', () => running.news.some(({ kind }) => kind === 'trouble'));
    const { words } = running;
    await until(
      'the lag',
      () => words.get('replicated') < journal.rows.length && words.get('oldestAtMs') > 0,
    );
    await cassandra.restart();
    await running.caughtUp();
    assert.ok(running.news.some(({ kind }) => kind === 'well'));

    await cassandra.pause();
    journal.more(2_000);
    const retries = running.words.get('retries');
    await until('a retry', () => running.words.get('retries') > retries);
    cassandra.resume();
    await running.caughtUp();
    await running.stop();

    await cassandra.kill();
    journal.restart();
    const second = journal.replicate(store);
    journal.more(500);
    await until('trouble at the start', () => second.news.some(({ kind }) => kind === 'trouble'));
    await cassandra.restart();
    await second.caughtUp();
    await second.stop();
    assertSameRows(await rowsInForce(store, journal), journal.rows);
    await store.close();
    journal.remove();
  });
});
