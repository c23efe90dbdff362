import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { type Cassandra, startCassandra } from './cassandra.js';
import { makeCertificates, strangerTo } from './certificates.js';
import { type CqlEndpoint, cql } from './cql.js';
import { skipWithoutEngine } from './engine-files.js';
import { SHARED_CASSANDRA, type SharedCassandra, sharedCassandra } from './shared-cassandra.js';

const skip = skipWithoutEngine('cassandra');
const ROWS = 200;
const NO_ANSWER_MS = 1_000;

const keyspace = (name: string): string =>
  `CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`;

async function fill(endpoint: CqlEndpoint, name: string): Promise<void> {
  await cql(endpoint, [
    `CREATE TABLE ${name}.verdicts (round text, sequence bigint, verdict text, PRIMARY KEY (round, sequence))`,
    ...Array.from(
      { length: ROWS },
      (_, i) =>
        `INSERT INTO ${name}.verdicts (round, sequence, verdict) VALUES ('demo', ${i}, 'accepted ${i}')`,
    ),
  ]);
}

async function verdicts(endpoint: CqlEndpoint, name: string): Promise<string[]> {
  const rows = await cql(endpoint, [`SELECT sequence, verdict FROM ${name}.verdicts WHERE round = 'demo'`]);
  return rows.map(([sequence, verdict]) => `${sequence?.readBigInt64BE()} ${verdict}`);
}

const expected = Array.from({ length: ROWS }, (_, i) => `${i} accepted ${i}`);

describe('a Cassandra of its own', { skip }, () => {
  let cassandra: Cassandra;
  before(async () => {
    cassandra = await startCassandra();
  });
  after(() => cassandra.remove());

  test('killed at once after the last insert, it comes back on its port with every row', async () => {
    await cql(cassandra.endpoint, [keyspace('one')]);
    await fill(cassandra.endpoint, 'one');
    const first = cassandra.pid;
    assert.deepEqual(await cassandra.kill(), { code: null, signal: 'SIGKILL' });
    await assert.rejects(verdicts(cassandra.endpoint, 'one'), { code: 'ECONNREFUSED' });
    await cassandra.restart();
    assert.notEqual(cassandra.pid, first);
    assert.deepEqual(await verdicts(cassandra.endpoint, 'one'), expected);
  });

  test('paused it answers nothing; resumed it does', async () => {
    await cassandra.pause();
    await assert.rejects(
      cql(cassandra.endpoint, ['SELECT key FROM system.local'], NO_ANSWER_MS),
      /no answer within/,
    );
    cassandra.resume();
    await cassandra.waitReady();
  });

  test('its data centre is the one that it tells drivers', async () => {
    const rows = await cql(cassandra.endpoint, ['SELECT data_center, release_version FROM system.local']);
    assert.deepEqual(
      rows.map((row) => row.map(String)),
      [[cassandra.localDataCenter, '5.0.4']],
    );
  });

  test('stopped it leaves no process, and removed no file', async () => {
    const { pid, directory } = cassandra;
    await cassandra.stop();
    assert.equal(existsSync(`/proc/${pid}`), false);
    await cassandra.remove();
    assert.equal(existsSync(directory), false);
  });
});

test('Cassandra with TLS and passwords: only for a client of the same authority that knows one', {
  skip,
}, async () => {
  const [ours, others] = await Promise.all([makeCertificates(), makeCertificates('stranger')]);
  try {
    const cassandra = await startCassandra({
      passwords: true,
      tls: { certificates: ours, clientCertificate: true },
      heap: '400m',
      jvmArgs: ['-Dcassandra.settings.write_request_timeout=1500ms'],
    });
    try {
      const { endpoint } = cassandra;
      const statement = "SELECT value FROM system_views.settings WHERE name = 'write_request_timeout'";
      assert.deepEqual((await cql(endpoint, [statement])).map(String), ['1500ms']);
      await assert.rejects(cql({ ...endpoint, certificates: strangerTo(ours, others) }, [statement]));
      const { certificates, ...plain } = endpoint;
      assert.equal(certificates, ours);
      await assert.rejects(cql(plain, [statement]));
      const wrong = { user: 'cassandra', password: 'guess' };
      await assert.rejects(cql({ ...endpoint, credentials: wrong }, [statement]), /error 0x100 /);
    } finally {
      await cassandra.remove();
    }
  } finally {
    await Promise.all([ours.remove(), others.remove()]);
  }
});

describe('the Cassandra that test files share', { skip }, () => {
  let shared: SharedCassandra;
  before(async () => {
    shared = await sharedCassandra();
  });
  after(() => shared.release());

  test('each has keyspaces of its own, which are gone when it releases them', async () => {
    const usual = process.env[SHARED_CASSANDRA];
    process.env[SHARED_CASSANDRA] = shared.contactPoint; // as the runner does
    try {
      const guest = await sharedCassandra();
      const [first, second] = [await guest.createKeyspace(), await guest.createKeyspace()];
      assert.notEqual(first, second);
      await fill(guest.endpoint, first);
      assert.deepEqual(await verdicts(guest.endpoint, first), expected);
      await assert.rejects(verdicts(guest.endpoint, second), /does not exist/);
      await guest.release();
      const left = await cql(shared.endpoint, ['SELECT keyspace_name FROM system_schema.keyspaces']);
      const names = left.map(([name]) => `${name}`);
      assert.ok(names.includes('system'));
      assert.deepEqual([names.includes(first), names.includes(second)], [false, false]);
    } finally {
      if (usual === undefined) delete process.env[SHARED_CASSANDRA];
      else process.env[SHARED_CASSANDRA] = usual;
    }
  });
});
