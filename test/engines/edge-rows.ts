// For tests: an edge with Cassandra as a real process, what it shows of its rows, and a crowd of investments.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { freshKey, invest } from '../contract/contract-client.js';
import { metricOrNull } from '../harness/edge-metric.js';
import type { EdgeProcess } from '../harness/node-process.js';
import { until } from './until.js';

/** Settings of a process that uses this keyspace. */
export function cassandraEnv(
  options: CassandraOptions,
  env: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    OPENBELL_CASSANDRA: options.contactPoints.join(),
    OPENBELL_CASSANDRA_KEYSPACE: options.keyspace,
    OPENBELL_JOURNAL_SEGMENT_BYTES: '1048576',
    ...env,
  };
}

/** Waits until every durable row is in Cassandra. */
export async function allReplicated(edge: EdgeProcess): Promise<void> {
  await until('every row in Cassandra', async () => {
    const [sequence, replicated] = [
      await metricOrNull(edge, 'openbell_journal_sequence'),
      await metricOrNull(edge, 'openbell_rows_replicated_sequence'),
    ];
    return sequence !== null && sequence === replicated;
  });
}

export interface Told {
  readonly investor: string;
  readonly key: string;
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Investments of `count` new investors, all at once; what each was told. */
export async function crowd(edge: EdgeProcess, prefix: string, count: number): Promise<Told[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const [investor, key] = [`${prefix}-${i}`, freshKey()];
      const { status, body } = await invest(edge.publicUrl, { investor, key });
      return { investor, key, status, body };
    }),
  );
}

/** Asks each one again: the same verdict under the same id, as a repetition. */
export async function assertRemembered(edge: EdgeProcess, told: readonly Told[]): Promise<void> {
  for (const { investor, key, status, body } of told) {
    const again = await invest(edge.publicUrl, { investor, key });
    assert.deepEqual([again.status, again.body], [status, body], investor);
    assert.equal(again.headers['idempotency-replayed'], 'true', investor);
  }
}

/** What the round shows of itself that must outlive a disk. */
export async function roundTotals(edge: EdgeProcess): Promise<Record<string, unknown>> {
  const round = (await (await fetch(`${edge.publicUrl}/v1/rounds/crowd`)).json()) as Record<string, unknown>;
  const { cap, admitted, remaining, investors, state } = round;
  return { cap, admitted, remaining, investors, state };
}

/** What the loss of a disk takes, but for the watermark: that is kept elsewhere where it matters. */
export function loseDisk(dataDir: string, withWatermark: boolean): void {
  const parts = ['journal', 'index', 'replicated.json', ...(withWatermark ? ['watermark.json'] : [])];
  for (const part of parts) rmSync(join(dataDir, 'edge', part), { recursive: true, force: true });
}
