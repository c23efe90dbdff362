// `openbell migrate` against a real Cassandra: from nothing, again, two at once, and after a change that must not be.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runCli } from '../../src/cli/run-cli.js';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import { type MigrateOptions, migrate } from '../../src/engines/cassandra/migrate.js';
import { CassandraRowStore } from '../../src/engines/cassandra/row-store.js';
import { MIGRATIONS, SCHEMA_VERSION } from '../../src/engines/cassandra/schema.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { freePorts } from '../harness/ports.js';
import { type SharedCassandra, sharedCassandra } from '../harness/shared-cassandra.js';
import { testOptions } from './keyspace.js';

const skip = skipWithoutEngine('cassandra');

describe('migrate', { skip }, () => {
  let cassandra: SharedCassandra;
  before(async () => {
    cassandra = await sharedCassandra();
  });
  after(() => cassandra.release());

  const options = (keyspace: string, more: Partial<MigrateOptions> = {}): MigrateOptions => ({
    cassandra: testOptions(cassandra.contactPoint, keyspace),
    replication: { datacenter1: 1 },
    dryRun: false,
    by: 'a test',
    ...more,
  });

  test('a missing keyspace is created only with a replication, and a dry run changes nothing', async () => {
    const keyspace = cassandra.keyspaceName();
    const refused = await migrate(options(keyspace, { replication: null }));
    assert.deepEqual(refused.ok || refused.error.code, 'missing-keyspace');
    const dry = await migrate(options(keyspace, { dryRun: true }));
    assert.ok(dry.ok && dry.value.keyspaceCreated && dry.value.applied.length === SCHEMA_VERSION);
    const still = await migrate(options(keyspace, { replication: null }));
    assert.deepEqual(still.ok || still.error.code, 'missing-keyspace');
    const real = await migrate(options(keyspace));
    assert.ok(real.ok && real.value.keyspaceCreated && real.value.version === SCHEMA_VERSION);
    const again = await migrate(options(keyspace, { replication: null }));
    assert.ok(again.ok && !again.value.keyspaceCreated && again.value.applied.length === 0);
    const dryAgain = await migrate(options(keyspace, { dryRun: true, replication: null }));
    assert.ok(
      dryAgain.ok && dryAgain.value.applied.length === 0 && dryAgain.value.version === SCHEMA_VERSION,
    );
  });

  test('two at once: one does it, the other says that it is busy, and the keyspace is one store', async () => {
    const keyspace = await cassandra.createKeyspace();
    const results = await Promise.all([1, 2, 3].map(() => migrate(options(keyspace))));
    const applied = results.filter((one) => one.ok && one.value.applied.length > 0);
    assert.equal(applied.length, 1);
    for (const one of results) assert.ok(one.ok || one.error.code === 'busy', JSON.stringify(one));
    const again = await migrate(options(keyspace));
    assert.ok(again.ok, 'the lock is free afterwards');
    const store = new CassandraRowStore(testOptions(cassandra.contactPoint, keyspace), 'openbell');
    const first = await store.identity();
    assert.ok(first.ok && /^[0-9a-f]{24}$/.test(first.value));
    assert.deepEqual(await store.identity(), first);
    await store.close();
  });

  test('one that was killed half way is finished by the next, when its lock has died', async () => {
    const keyspace = await cassandra.createKeyspace();
    const first = await migrate(options(keyspace, { migrations: [] }));
    assert.ok(first.ok && first.value.version === 0);
    const client = cassandraClient(testOptions(cassandra.contactPoint, keyspace), 'schema');
    // What a killed one leaves behind: some tables, its lock, and nothing on record.
    await client.execute(MIGRATIONS[0]?.statements[0] ?? '');
    await client.execute(
      "INSERT INTO schema_state (part, holder, value) VALUES ('lock', 'dead', 'somebody') USING TTL 2",
    );
    const busy = await migrate(options(keyspace));
    assert.ok(
      !busy.ok && busy.error.code === 'busy' && busy.error.message.startsWith('somebody'),
      JSON.stringify(busy),
    );
    const deadline = Date.now() + 20_000;
    let later: Awaited<ReturnType<typeof migrate>> = busy;
    while (!later.ok && Date.now() < deadline) later = await migrate(options(keyspace));
    assert.ok(later.ok && later.value.version === SCHEMA_VERSION, JSON.stringify(later));
    await endClient(client);
  });

  test('an applied migration that was changed, and a schema from the future, are refused', async () => {
    const keyspace = await cassandra.createKeyspace();
    assert.ok((await migrate(options(keyspace))).ok);
    const [first, ...rest] = MIGRATIONS;
    assert.ok(first !== undefined);
    const changed = [
      { ...first, statements: [...first.statements, 'SELECT now() FROM system.local'] },
      ...rest,
    ];
    const refused = await migrate(options(keyspace, { migrations: changed }));
    assert.ok(!refused.ok && refused.error.code === 'mismatch' && /another form/.test(refused.error.message));
    const older = await migrate(options(keyspace, { migrations: [] }));
    assert.ok(!older.ok && older.error.code === 'mismatch' && /use a newer one/.test(older.error.message));
  });

  test('the command: exit codes, and what it prints', async () => {
    const keyspace = cassandra.keyspaceName();
    const env = { OPENBELL_CASSANDRA: cassandra.contactPoint, OPENBELL_CASSANDRA_KEYSPACE: keyspace };
    const none = await runCli(['migrate'], env);
    assert.equal(none.code, 78);
    assert.match(none.stderr, /there is no keyspace .* --replication/);
    assert.equal((await runCli(['migrate', '--replication', 'x'], env)).code, 64);
    assert.equal((await runCli(['migrate', '--replication', '1,2'], env)).code, 64);
    const done = await runCli(['migrate', '--replication', '1'], env);
    assert.deepEqual([done.code, done.stderr], [0, '']);
    assert.match(done.stdout, /keyspace \S+ created\napplied 1: rows of the journal\n/);
    const again = await runCli(['migrate', '--json'], env);
    assert.deepEqual(JSON.parse(again.stdout).applied, []);
    assert.equal((await runCli(['migrate'], {})).code, 78);
    const [port] = await freePorts(1);
    const nobody = await runCli(['migrate'], { ...env, OPENBELL_CASSANDRA: `127.0.0.1:${port}` });
    assert.equal(nobody.code, 69);
    assert.match(nobody.stderr, /no host answers/);
  });
});
