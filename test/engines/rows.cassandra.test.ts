// The row store on a real Cassandra: its contract, TLS and passwords, and a server that dies, stops or is not there.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import { migrate } from '../../src/engines/cassandra/migrate.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { cassandraOptions } from '../../src/engines/cassandra/options.js';
import { roundBatches } from '../../src/engines/cassandra/row-statements.js';
import { CassandraRowStore } from '../../src/engines/cassandra/row-store.js';
import type { RowStore } from '../../src/engines/rows.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import { type Certificates, makeCertificates } from '../harness/certificates.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { freePorts } from '../harness/ports.js';
import { type SharedCassandra, sharedCassandra } from '../harness/shared-cassandra.js';
import { migrated, testOptions } from './keyspace.js';
import { CROWD, entryOf, epochAt, rowsContract, value, verdictAt } from './rows-contract.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra');

/** Writes until it works, or for so long. */
async function writeUntilTaken(store: RowStore, sequences: readonly number[]): Promise<void> {
  const entries = sequences.map((sequence) => entryOf(verdictAt(sequence)));
  const deadline = Date.now() + 60_000;
  let written = await store.write(entries);
  while (!written.ok && Date.now() < deadline) {
    // What fails at once must not keep the driver's timers from firing.
    await new Promise((resolve) => setImmediate(resolve));
    written = await store.write(entries);
  }
  value(written);
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('the row store on Cassandra', { skip }, () => {
  let shared: SharedCassandra;
  let options: CassandraOptions;
  before(async () => {
    shared = await sharedCassandra();
    options = await migrated(testOptions(shared.contactPoint, shared.keyspaceName()));
  });
  after(() => shared.release());

  rowsContract((cluster) => new CassandraRowStore(options, cluster));

  test('a batch as large as they come is taken without a warning of the server', async () => {
    const entries = range(100, 400).map((sequence) =>
      entryOf(verdictAt(sequence, { investor: 'i'.repeat(128), key: 'k'.repeat(64) })),
    );
    const batches = roundBatches('warned', entries);
    assert.ok(batches.length > 1 && batches[0]!.length > 50);
    const client = cassandraClient(options, 'rows');
    const queries = batches[0]!.map(({ query, params }) => ({ query, params: [...params] }));
    const result = await client.batch(queries, { prepare: true, logged: false });
    assert.deepEqual(result.info.warnings ?? [], []);
    // The server does warn where a batch is of several partitions: the check above sees what there is to see.
    const spread = queries.map((one, i) => ({ ...one, params: one.params.with(2, i) }));
    const warned = await client.batch(spread, { prepare: true, logged: false });
    assert.notDeepEqual(warned.info.warnings ?? [], []);
    await endClient(client);
  });

  test('a row by round, for which a reply may wait, does not wait for the view by investor', async () => {
    const store = new CassandraRowStore(options, 'view');
    value(await store.write([entryOf(verdictAt(1))]));
    // Each of several batches of one partition: together more than may be on their way at a time.
    const chunks = Array.from({ length: 40 }, (_, i) => range(2 + i * 500, 500));
    let chunksWritten = 0;
    const views = chunks.map(async (sequences) => {
      const rows = sequences.map((sequence) => entryOf(verdictAt(sequence, { investor: 'one' })));
      value(await store.writeByInvestor(rows.map((entry) => ({ ...entry, investment: 'an id' }))));
      chunksWritten += 1;
    });
    value(await store.write([entryOf(verdictAt(20_002))]));
    assert.ok(chunksWritten < chunks.length / 2, `${chunksWritten} chunks of the view came first`);
    await Promise.all(views);
    await store.close();
  });

  test('what was written by another hand and is no row is told apart', async () => {
    const store = new CassandraRowStore(options, 'wrong');
    value(await store.write([entryOf(verdictAt(1)), entryOf(verdictAt(2)), entryOf(verdictAt(3))]));
    const client = cassandraClient(options, 'rows');
    const where = "WHERE cluster = 'wrong' AND round = 'crowd' AND bucket = 0 AND epoch = 1 AND sequence =";
    await client.execute(`UPDATE rows_by_round SET amount = -5 ${where} 1`);
    await client.execute(`DELETE idempotency_key FROM rows_by_round ${where} 2`);
    const stored = value(await store.bucketRows(CROWD, 0));
    assert.deepEqual(
      stored.map(({ row }) => (row.ok ? 'a row' : row.error)),
      ['a verdict is about an amount', 'idempotency_key is missing', 'a row'],
    );
    await endClient(client);
    await store.close();
  });

  test('another data centre is said as it is, and leaves nothing open behind', async () => {
    const store = new CassandraRowStore({ ...options, datacenter: 'elsewhere' }, 'openbell');
    const sockets = (): number =>
      process.getActiveResourcesInfo().filter((one) => one.startsWith('TCP')).length;
    const before = sockets();
    for (let i = 0; i < 5; i++) {
      const answer = await store.write([entryOf(verdictAt(1))]);
      assert.ok(!answer.ok && /only found hosts in data centers/.test(answer.error.message));
    }
    await store.close();
    const deadline = Date.now() + 10_000;
    while (sockets() > before && Date.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(sockets() <= before, `${sockets()} sockets, there were ${before}`);
  });

  test('a keyspace that is not there, or was never migrated, is a refusal and no wait', async () => {
    const missing = new CassandraRowStore({ ...options, keyspace: 'never_made' }, 'openbell');
    const none = await missing.write([entryOf(verdictAt(1))]);
    assert.ok(!none.ok && none.error.code === 'refused', JSON.stringify(none));
    await missing.close();
    const empty = new CassandraRowStore({ ...options, keyspace: await shared.createKeyspace() }, 'openbell');
    const bare = await empty.write([entryOf(verdictAt(1))]);
    assert.ok(!bare.ok && bare.error.code === 'refused', JSON.stringify(bare));
    await empty.close();
  });

  test('nobody at the address is said in time, as something that may pass', async () => {
    const [port] = await freePorts(1);
    const store = new CassandraRowStore(testOptions(`127.0.0.1:${port}`, 'openbell'), 'openbell');
    for (const ask of [() => store.epochs(), () => store.write([entryOf(verdictAt(1))])]) {
      const answer = await ask();
      assert.ok(!answer.ok && answer.error.code === 'unavailable', JSON.stringify(answer));
    }
    await store.close();
  });
});

describe('a Cassandra that fails', { skip }, () => {
  let cassandra: Cassandra;
  let store: CassandraRowStore;
  before(async () => {
    cassandra = await startCassandra();
    store = new CassandraRowStore(
      await migrated(testOptions(cassandra.contactPoint, 'openbell')),
      'openbell',
    );
    value(await store.claimEpoch(epochAt(1, 'aaaaaaaa', 1)));
  });
  after(async () => {
    await store.close();
    await cassandra.remove();
  });

  test('kill -9 in the middle of writes loses nothing that was acknowledged', async () => {
    value(await store.write([entryOf(verdictAt(1))]));
    const acknowledged = new Set([1]);
    let next = 2;
    const write = async (): Promise<boolean> => {
      const sequences = range(next, 20);
      next += 20;
      const written = await store.write(sequences.map((sequence) => entryOf(verdictAt(sequence))));
      if (written.ok) for (const sequence of sequences) acknowledged.add(sequence);
      return written.ok;
    };
    for (let i = 0; i < 20; i++) assert.ok(await write());
    const killed = cassandra.kill();
    let ok = true;
    while (ok) ok = await write();
    await killed;
    const down = await store.epochs();
    assert.ok(!down.ok && down.error.code === 'unavailable');
    await cassandra.restart();
    await writeUntilTaken(store, [next]);
    acknowledged.add(next);
    const stored = new Set<number>();
    // A write was taken; another connection of the pool may have to find the server again first.
    await until('an answer', async () => {
      const read = await store.bucketRows(CROWD, 0);
      if (read.ok) for (const { sequence } of read.value) stored.add(sequence);
      return read.ok;
    });
    assert.deepEqual(
      [...acknowledged].filter((sequence) => !stored.has(sequence)),
      [],
    );
  });

  test('SIGSTOP for longer than the timeouts is a failure that passes; a claim asked meanwhile is decided once', async () => {
    await cassandra.pause();
    const [written, claimed, read] = await Promise.all([
      store.write([entryOf(verdictAt(5_000))]),
      store.claimEpoch(epochAt(2, 'aaaaaaaa', 5_000)),
      store.bucketRows(CROWD, 0),
    ]);
    for (const one of [written, claimed, read])
      assert.ok(!one.ok && one.error.code === 'unavailable', JSON.stringify(one));
    cassandra.resume();
    await cassandra.waitReady();
    await writeUntilTaken(store, [5_000]);
    const claims = [epochAt(2, 'aaaaaaaa', 5_000), epochAt(2, 'bbbbbbbb', 5_000)];
    const answers: boolean[] = [];
    for (const claim of claims) {
      // The client for decisions may have to find the server again first.
      await until('an answer', async () => {
        const answer = await store.claimEpoch(claim);
        if (answer.ok) answers.push(answer.value.claimed);
        return answer.ok;
      });
    }
    // The first one may have been applied after we had given it up: then it is ours all the same.
    assert.deepEqual(answers, [true, false]);
    assert.ok(value(await store.bucketRows(CROWD, 0)).some(({ sequence }) => sequence === 5_000));
  });
});

describe('TLS and passwords', { skip }, () => {
  let certificates: Certificates;
  let others: Certificates;
  let cassandra: Cassandra;
  before(async () => {
    certificates = await makeCertificates();
    others = await makeCertificates();
    cassandra = await startCassandra({ passwords: true, tls: { certificates, clientCertificate: true } });
  });
  after(async () => {
    await cassandra.remove();
    await Promise.all([certificates.remove(), others.remove()]);
  });

  const options = (ca: Certificates, own: Certificates | null, password: string | null): CassandraOptions =>
    value(
      mapError(
        cassandraOptions({
          cassandra: [cassandra.contactPoint],
          cassandraDatacenter: 'datacenter1',
          cassandraKeyspace: 'openbell',
          cassandraTlsCa: ca.ca,
          cassandraTlsCert: own?.clientCert,
          cassandraTlsKey: own?.clientKey,
          cassandraUsername: password === null ? undefined : 'cassandra',
          cassandraPassword: password ?? undefined,
        }),
      ),
    );

  test('with both it works, and without either it is refused with a reason', async () => {
    const good = options(certificates, certificates, 'cassandra');
    const done = await migrate({
      cassandra: good,
      replication: { datacenter1: 1 },
      dryRun: false,
      by: 'a test',
    });
    assert.ok(done.ok, JSON.stringify(done));
    const store = new CassandraRowStore(good, 'openbell');
    value(await store.write([entryOf(verdictAt(1))]));
    assert.equal(value(await store.bucketRows(CROWD, 0)).length, 1);
    await store.close();
    for (const [what, wrong] of [
      ['wrong password', options(certificates, certificates, 'guess')],
      ['no password', options(certificates, certificates, null)],
      ['a server of another authority', options(others, certificates, 'cassandra')],
      ['no certificate of ours', options(certificates, null, 'cassandra')],
      ['a certificate of another authority', options(certificates, others, 'cassandra')],
      ['no TLS', { ...good, tls: null }],
    ] as const) {
      const turnedAway = new CassandraRowStore(wrong, 'openbell');
      const answer = await turnedAway.write([entryOf(verdictAt(2))]);
      assert.ok(!answer.ok, what);
      if (what.includes('password'))
        assert.equal(answer.error.code, 'refused', `${what}: ${answer.error.message}`);
      await turnedAway.close();
    }
  });

  test('a file that is not there is named with its setting', () => {
    const nowhere = { ...certificates, ca: `${certificates.directory}/none.pem` };
    assert.throws(() => options(nowhere, null, null), /OPENBELL_CASSANDRA_TLS_CA cannot be read: ENOENT/);
  });
});

function mapError<T>(
  result: { ok: true; value: T } | { ok: false; error: string },
): { ok: true; value: T } | { ok: false; error: { message: string } } {
  return result.ok ? result : { ok: false, error: { message: result.error } };
}
