// Acknowledgement `replicated` through the real node and a real Cassandra: a yes leaves when its row is there as well,
// never before, and what waits too long is unknown, never no.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import { CassandraRowStore } from '../../src/engines/cassandra/row-store.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import {
  createRound,
  type EdgeProcess,
  investorToken,
  startEdgeProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { migrated, testOptions } from './keyspace.js';
import { value } from './rows-contract.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra');
const CLUSTER = 'replicated-test';
const AMOUNT = 5_000;

describe('acknowledgement replicated', { skip }, () => {
  let cassandra: Cassandra;
  let edge: EdgeProcess;
  let store: CassandraRowStore;
  let data: Awaited<ReturnType<typeof temporaryDataDir>>;

  before(async () => {
    cassandra = await startCassandra();
    const options = await migrated(testOptions(cassandra.contactPoint, 'replicated'));
    store = new CassandraRowStore(options, CLUSTER);
    data = await temporaryDataDir();
    edge = await startEdgeProcess({
      dataDir: data.dataDir,
      env: {
        OPENBELL_ACK: 'replicated',
        OPENBELL_CASSANDRA: cassandra.contactPoint,
        OPENBELL_CASSANDRA_KEYSPACE: 'replicated',
        OPENBELL_CLUSTER: CLUSTER,
        OPENBELL_WORKERS: '2',
      },
    });
    await createRound(edge, {
      ...{ id: 'crowd', cap: 1_000_000_000, minimum: AMOUNT, maximum: AMOUNT, unknownBalance: 'allow' },
    });
  });

  after(async () => {
    await edge.stop();
    await store.close();
    await cassandra.remove();
    await data.remove();
  });

  const invest = async (investor: string): Promise<{ status: number; body: Record<string, unknown> }> => {
    const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd/investments`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${investorToken(investor)}`,
        'idempotency-key': `key-of-${investor}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ amount: AMOUNT, currency: 'GBP' }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  const isStored = async (investor: string, sequence: number): Promise<boolean> => {
    const bucket = Math.floor(sequence / ROW_BUCKET_SEQUENCES);
    const rows = value(await store.bucketRows({ id: 'crowd', number: 1 }, bucket));
    return rows.some(
      ({ row }) =>
        row.ok &&
        row.value.sequence === sequence &&
        'investor' in row.value &&
        row.value.investor === investor,
    );
  };

  test('a row is in Cassandra when its yes is heard', async () => {
    const investors = Array.from({ length: 40 }, (_, i) => `investor-${i}`);
    await Promise.all(
      investors.map(async (investor) => {
        const { status, body } = await invest(investor);
        assert.equal(status, 201);
        assert.ok(await isStored(investor, body['sequence'] as number), `the row of ${investor}`);
      }),
    );
  });

  test('without Cassandra nobody hears yes; the same key gets the truth when it is back', {
    timeout: 120_000,
  }, async () => {
    await cassandra.pause();
    const waited = await invest('late');
    assert.deepEqual([waited.status, waited.body['code']], [503, 'not-durable']);
    const ready = await fetch(`${edge.adminUrl}/readyz`);
    assert.equal(ready.status, 503, 'who comes now would wait in vain');
    await cassandra.resume();
    let truth = await invest('late');
    await until('a yes', async () => {
      truth = await invest('late');
      return truth.status === 201;
    });
    // Our own look at it may need a moment to have a connection again.
    await until('the row', () => isStored('late', truth.body['sequence'] as number).catch(() => false));
    await until('ready again', async () => (await fetch(`${edge.adminUrl}/readyz`)).ok);
  });
});
