// Edges of one cluster on a real etcd, for tests: each with a name and a data directory of its own.

import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { until } from './etcd-bench.js';
import {
  createRound,
  type EdgeProcess,
  investorToken,
  startEdgeProcess,
  temporaryDataDir,
} from './node-process.js';

/** Seconds: short, and longer than whatever a busy machine takes between two keepalives. */
const CLUSTER_TTL_S = 3;

export interface ClusterNode {
  readonly dataDir: string;
  readonly edge: EdgeProcess;
}

export interface NodeOptions {
  /** host:port. */
  readonly etcd: string;
  readonly waitReady?: boolean;
  /** One of its own when absent. */
  readonly dataDir?: string;
  readonly ttlS?: number;
  /** Behind `openbell edge`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts an edge of a cluster; it is killed when the test is over. */
export async function nodeOf(
  t: TestContext,
  cluster: string,
  name: string,
  options: NodeOptions,
): Promise<ClusterNode> {
  const place = options.dataDir === undefined ? await temporaryDataDir() : null;
  const dataDir = options.dataDir ?? place!.dataDir;
  const edge = await startEdgeProcess({
    dataDir,
    env: {
      OPENBELL_ETCD: options.etcd,
      OPENBELL_CLUSTER: cluster,
      OPENBELL_NODE: name,
      OPENBELL_LEASE_TTL: String(options.ttlS ?? CLUSTER_TTL_S),
      ...options.env,
    },
    ...(options.args === undefined ? {} : { args: options.args }),
    ...(options.waitReady === undefined ? {} : { waitReady: options.waitReady }),
  });
  t.after(async () => {
    edge.signal('SIGCONT');
    if (!edge.hasExited()) await edge.kill();
    await place?.remove();
  });
  return { dataDir, edge };
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Invests £50 in `crowd`; throws when the connection breaks. */
export async function invest(edge: EdgeProcess, investor: string, key = 'first'): Promise<Answer> {
  const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd/investments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${investorToken(investor)}`,
      'idempotency-key': key,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ amount: 5_000, currency: 'GBP' }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** The same as the bytes of a request. */
export function investRequest(investor: string): string {
  const body = JSON.stringify({ amount: 5_000, currency: 'GBP' });
  const head = [
    'POST /v1/rounds/crowd/investments HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${investorToken(investor)}`,
    'Idempotency-Key: first',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** What /readyz says; null when nobody answers. */
export async function readyz(edge: EdgeProcess): Promise<{ status: number; text: string } | null> {
  try {
    const answer = await fetch(`${edge.adminUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return null; // not up yet, or gone
  }
}

/** Resolves when this one says that it waits for `owner`. */
export async function untilStandby(edge: EdgeProcess, owner: string): Promise<void> {
  await until(
    async () => (await readyz(edge))?.text.includes(`standby: node ${owner} owns the rounds`) ?? false,
  );
}

/** As a disk that is shared or copied would be: nothing else makes a second node right for the same journal here. */
export async function copyEdge(from: ClusterNode, to: ClusterNode): Promise<void> {
  await cp(join(from.dataDir, 'edge'), join(to.dataDir, 'edge'), { recursive: true, force: true });
}

/** Creates and opens `crowd`, for whoever comes. */
export async function openRound(edge: EdgeProcess): Promise<void> {
  await createRound(edge, { id: 'crowd', cap: 1_000_000_000_000, unknownBalance: 'allow' });
}
