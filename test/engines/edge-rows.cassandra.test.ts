// An edge with Cassandra behind it: at acknowledgement `journal` nobody waits for Cassandra, whatever happens to it; and
// a lost disk is built again from its rows, or the start refused by name.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cassandraClient, endClient } from '../../src/engines/cassandra/client.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import { metricOrNull } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import {
  createRound,
  type EdgeProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freePorts } from '../harness/ports.js';
import {
  allReplicated,
  assertRemembered,
  cassandraEnv,
  crowd,
  loseDisk,
  roundTotals,
  type Told,
} from './edge-rows.js';
import { migrated, testOptions } from './keyspace.js';
import { until } from './until.js';

const skip = skipWithoutEngine('cassandra');
/** A yes must not wait for Cassandra's timeouts. */
const PROMPT_MS = 1_500;

describe('an edge with Cassandra', { skip }, () => {
  let cassandra: Cassandra;
  let keyspaces = 0;
  before(async () => {
    cassandra = await startCassandra();
  });
  after(() => cassandra.remove());

  const keyspace = (): Promise<CassandraOptions> =>
    migrated(testOptions(cassandra.contactPoint, `rows_${++keyspaces}`));

  async function withEdge(
    work: (
      edge: EdgeProcess,
      start: (...args: string[]) => Promise<EdgeProcess>,
      dataDir: string,
    ) => Promise<void>,
  ): Promise<void> {
    const { dataDir, remove } = await temporaryDataDir();
    const env = cassandraEnv(await keyspace());
    const ports = await freePorts(2);
    const running: EdgeProcess[] = [];
    const start = async (...args: string[]): Promise<EdgeProcess> => {
      const edge = await startEdgeProcess({ dataDir, ports, env, args });
      running.push(edge);
      return edge;
    };
    try {
      const edge = await start();
      await createRound(edge, { id: 'crowd', cap: 2_000_000_000, unknownBalance: 'allow' });
      await work(edge, start, dataDir);
    } finally {
      for (const edge of running) await edge.kill();
      await remove();
    }
  }

  /** Starts it to see it refuse: its exit code and what it says. */
  async function refusal(
    dataDir: string,
    env: Record<string, string>,
    ...args: string[]
  ): Promise<{ code: number | null; stderr: string }> {
    const { code, stderr } = await runCommand(['edge', ...args], { dataDir, env });
    return { code, stderr };
  }

  test('admits while Cassandra is killed and while it is paused, and loses no row', async () => {
    await withEdge(async (edge) => {
      const told: Told[] = await crowd(edge, 'before', 100);
      await allReplicated(edge);
      const prompt = async (prefix: string): Promise<void> => {
        const begun = performance.now();
        told.push(...(await crowd(edge, prefix, 100)));
        const ms = performance.now() - begun;
        assert.ok(ms < PROMPT_MS, `${prefix}: 100 investments took ${ms} ms`);
      };
      await cassandra.kill();
      await prompt('killed');
      await until('a lag', async () => ((await metricOrNull(edge, 'openbell_rows_lag_rows')) ?? 0) >= 100);
      await cassandra.restart();
      await cassandra.pause();
      await prompt('paused');
      const ready = await fetch(`${edge.adminUrl}/readyz`);
      assert.equal(ready.status, 200, 'at journal Cassandra is no part of the readiness');
      cassandra.resume();
      await allReplicated(edge);
      assert.ok(((await metricOrNull(edge, 'openbell_rows_retries_total')) ?? 0) > 0);
      for (const { status } of told) assert.equal(status, 201);
    });
  });

  test('the disk is lost: every row comes back, with the totals and ids it had', async () => {
    await withEdge(async (edge, start, dataDir) => {
      const told = await crowd(edge, 'first', 300);
      await allReplicated(edge);
      const totals = await roundTotals(edge);
      await edge.kill();
      loseDisk(dataDir, true);

      const env = cassandraEnv(testOptions(cassandra.contactPoint, `rows_${keyspaces}`));
      const plain = await refusal(dataDir, env);
      assert.equal(plain.code, 70);
      assert.match(
        plain.stderr,
        /rows of cluster openbell in Cassandra are of journal \w+ .* "openbell edge --rebuild"/,
      );

      const rebuilt = await start('--rebuild');
      assert.deepEqual(await roundTotals(rebuilt), totals);
      await assertRemembered(rebuilt, told);
      const more = await crowd(rebuilt, 'second', 50);
      const ids = new Set([...told, ...more].map(({ body }) => body['id']));
      assert.equal(ids.size, 350);
      await allReplicated(rebuilt);
      assert.deepEqual(await rebuilt.stop(), { code: 0, signal: null });
      const verify = await runCommand(['journal', 'verify'], { dataDir });
      assert.equal(verify.code, 0, verify.stdout);
      const dump = await runCommand(['journal', 'dump'], { dataDir });
      assert.match(dump.stdout, /\trebuilt\tlineage=\w{8}@1,\w{8}@\d+\n/);

      // And once more, from what two journals have written.
      loseDisk(dataDir, true);
      const again = await start('--rebuild');
      await assertRemembered(again, [...told, ...more]);
    });
  });

  test('rows were not replicated when the disk was lost: the start refuses and names them', async () => {
    await withEdge(async (edge, start, dataDir) => {
      const saved = await crowd(edge, 'saved', 100);
      await allReplicated(edge);
      const sequence = (await metricOrNull(edge, 'openbell_journal_sequence')) ?? 0;
      await cassandra.kill();
      await crowd(edge, 'unsaved', 100);
      await until(
        'the watermark',
        async () => ((await metricOrNull(edge, 'openbell_watermark_sequence')) ?? 0) >= sequence + 100,
      );
      await edge.kill();
      loseDisk(dataDir, false);
      const env = cassandraEnv(testOptions(cassandra.contactPoint, `rows_${keyspaces}`));
      const away = await refusal(dataDir, env, '--rebuild');
      assert.equal(away.code, 69, away.stderr);
      await cassandra.restart();

      const named = await refusal(dataDir, env, '--rebuild');
      assert.equal(named.code, 1, named.stderr);
      const from = sequence + 1;
      assert.match(
        named.stderr,
        new RegExp(`sequences ${from} to ${sequence + 100} are missing: the watermark says`),
      );
      assert.match(
        named.stderr,
        /round crowd: the watermark has 10000000 admitted in 200 investments, the rows 5000000 in 100/,
      );
      const guessed = await refusal(dataDir, env, '--rebuild', '--accept-loss-from', '5');
      assert.equal(guessed.code, 1);
      const accepted = await start('--rebuild', '--accept-loss-from', `${from}`);
      await assertRemembered(accepted, saved);
      const { investors } = await roundTotals(accepted);
      assert.equal(investors, 100);
      assert.deepEqual(await accepted.stop(), { code: 0, signal: null });
      const dump = await runCommand(['journal', 'dump', '--from', `${from}`, '--limit', '1'], { dataDir });
      assert.match(dump.stdout, new RegExp(`rebuilt.*lost=${from}\\.\\.${sequence + 100}`));
    });
  });

  test('an audit names what Cassandra lacks, a dry run counts it, and a replay mends it', async () => {
    await withEdge(async (edge, _start, dataDir) => {
      const told = await crowd(edge, 'audited', 100);
      await allReplicated(edge);
      const env = cassandraEnv(testOptions(cassandra.contactPoint, `rows_${keyspaces}`));
      const ledger = await startLedgerProcess({ dataDir, env });
      const settings = { dataDir, env: { ...env, OPENBELL_ADMIN_URL: edge.adminUrl } };
      const clean = await runCommand(['audit', '--json'], settings);
      const before = JSON.parse(clean.stdout) as AuditJson;
      assert.deepEqual(kindsOf(before), [], clean.stdout);
      assert.match(checkOf(before, 'rows').detail, /^\d+ rows in Cassandra, each against the journal/);

      const client = cassandraClient(testOptions(cassandra.contactPoint, `rows_${keyspaces}`), 'rows');
      const where = "WHERE cluster = 'openbell' AND round = 'crowd' AND bucket = 0 AND sequence = ?";
      const [lost, changed] = told.map(({ body }) => body['sequence'] as number) as [number, number];
      await client.execute(`DELETE FROM rows_by_round ${where}`, [lost], { prepare: true });
      await client.execute(`UPDATE rows_by_round SET amount = 1 ${where} AND epoch = 1`, [changed], {
        prepare: true,
      });
      await endClient(client);

      const found = JSON.parse((await runCommand(['audit', '--json'], settings)).stdout);
      assert.deepEqual(
        found.differences
          .filter(({ kind }: { kind: string }) => kind.startsWith('rows'))
          .map(({ kind, investment }: { kind: string; investment: string }) => [kind, investment])
          .sort(),
        [
          ['rows-differ', told[1]!.body['id']],
          ['rows-missing', told[0]!.body['id']],
        ],
      );
      const dry = await runCommand(['replay', '--dry-run'], settings);
      assert.match(dry.stdout, /rows in Cassandra: 1 missing, 1 differ, 0 written again/);
      const mended = await runCommand(['replay'], settings);
      assert.match(mended.stdout, /rows in Cassandra: 1 missing, 1 differ, 2 written again/);
      const after = JSON.parse((await runCommand(['audit', '--json'], settings)).stdout);
      assert.equal(checkOf(after, 'rows').ok, true);
      await ledger.stop();
    });
  });

  test('doctor says what there is, and what to do', async () => {
    const { dataDir, remove } = await temporaryDataDir();
    const doctor = async (
      env: Record<string, string>,
    ): Promise<Map<string, { level: string; detail: string; fix?: string }>> => {
      const { stdout } = await runCommand(['doctor', '--json'], { dataDir, env });
      const { findings } = JSON.parse(stdout) as {
        findings: { name: string; level: string; detail: string; fix?: string }[];
      };
      return new Map(findings.map((finding) => [finding.name, finding]));
    };
    const options = await keyspace();
    const well = await doctor(cassandraEnv(options));
    assert.match(well.get('cassandra')?.detail ?? '', /^version 5\.\d+\.\d+, data centre datacenter1$/);
    for (const name of ['cassandra', 'cassandra clock', 'durable writes', 'schema'])
      assert.equal(well.get(name)?.level, 'ok', name);
    assert.equal(well.get('replication')?.level, 'warn');
    const strict = await doctor(cassandraEnv(options, { OPENBELL_ACK: 'replicated' }));
    assert.equal(strict.get('replication')?.level, 'fail', 'one copy is no replication');
    const missing = await doctor(cassandraEnv({ ...options, keyspace: 'never_made' }));
    assert.equal(missing.get('keyspace')?.fix, 'openbell migrate --replication 3');
    const other = await doctor(cassandraEnv(options, { OPENBELL_CASSANDRA_DATACENTER: 'elsewhere' }));
    assert.match(other.get('cassandra')?.detail ?? '', /only found hosts in data centers: \[datacenter1\]/);
    const [port] = await freePorts(1);
    const nobody = await doctor({ OPENBELL_CASSANDRA: `127.0.0.1:${port}` });
    assert.equal(nobody.get('cassandra')?.level, 'fail');
    await remove();
  });

  test('a keyspace without tables, and a new directory without Cassandra, keep it from starting', async () => {
    const { dataDir, remove } = await temporaryDataDir();
    const [port] = await freePorts(1);
    const nowhere = await refusal(dataDir, { OPENBELL_CASSANDRA: `127.0.0.1:${port}` });
    assert.equal(nowhere.code, 69, nowhere.stderr);
    assert.match(nowhere.stderr, /this data directory is new/);
    const bare = await refusal(dataDir, {
      OPENBELL_CASSANDRA: cassandra.contactPoint,
      OPENBELL_CASSANDRA_KEYSPACE: 'never_made',
    });
    assert.equal(bare.code, 78, bare.stderr);
    assert.match(bare.stderr, /run "openbell migrate"/);
    const usage = await refusal(dataDir, {}, '--accept-loss-from', '5');
    assert.equal(usage.code, 64);
    await remove();
  });
});

interface AuditJson {
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly differences: readonly { readonly kind: string }[];
}

const checkOf = ({ checks }: AuditJson, name: string): AuditJson['checks'][number] => {
  const found = checks.find((check) => check.name === name);
  assert.ok(found !== undefined, `there is a check of ${name}`);
  return found;
};

const kindsOf = ({ differences }: AuditJson): string[] =>
  differences.map(({ kind }) => kind).filter((kind) => kind.startsWith('rows'));
