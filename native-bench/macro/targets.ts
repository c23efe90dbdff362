// The two servers of the comparison, as child processes: a real edge on a real disk, and the constant server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRound, type EdgeProcess, startEdgeProcess } from '../../test/harness/node-process.js';

export interface Target {
  readonly name: 'openbell' | 'constant';
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

export interface EdgeCounts {
  /** Admissions by the node's own count. */
  readonly admitted: number;
  /** Answers that repeated an earlier verdict. */
  readonly replays: number;
  /** Syncs of the journal. */
  readonly syncs: number;
  /** Durable rows that the index does not hold yet. */
  readonly lag: number;
}

export interface EdgeTarget extends Target {
  readonly adminUrl: string;
  readonly port: number;
  counts(): Promise<EdgeCounts>;
  /** Waits until the index holds what the journal holds. Throws when it does not come to that. */
  caughtUp(): Promise<void>;
  /** As a crash would end it. */
  kill(): Promise<unknown>;
}

export interface EdgeSettings {
  /** Over EDGE_ENV. */
  readonly env?: Readonly<Record<string, string>>;
  /** Minor units; more than can be admitted when absent. */
  readonly cap?: number;
  readonly unknownBalance?: 'refuse' | 'allow';
}

const CATCH_UP_TIMEOUT_MS = 120_000;
const CATCH_UP_POLL_MS = 100;

/** The settings of production, except that no ledger runs: it would settle 60 a second of what is admitted. */
export const EDGE_ENV = { OPENBELL_INVESTOR_RATE: '10', OPENBELL_LOG_LEVEL: 'warn' };

/** A fresh edge with one open round, in which every investment is of `amount`. */
export async function startEdge(
  dataDir: string,
  round: string,
  amount: number,
  { env = {}, cap = 9e15, unknownBalance = 'allow' }: EdgeSettings = {},
): Promise<EdgeTarget> {
  const edge = await startEdgeProcess({ dataDir, env: { ...EDGE_ENV, ...env } });
  const settings = { id: round, cap, minimum: amount, maximum: amount, unknownBalance };
  await createRound(edge, settings).catch(async (error: unknown) => {
    await edge.kill();
    throw error;
  });
  return edgeTarget(edge);
}

/** An edge that runs, as a target of load. */
export function edgeTarget(edge: EdgeProcess): EdgeTarget {
  return {
    name: 'openbell',
    pid: edge.pid,
    url: edge.publicUrl,
    adminUrl: edge.adminUrl,
    port: edge.publicPort,
    counts: () => readCounts(edge),
    caughtUp: () => waitCaughtUp(edge),
    kill: () => edge.kill(),
    stop: async () => {
      const { code } = await edge.stop();
      if (code !== 0) throw new Error(`the edge exited with ${code}\n${edge.stderr()}`);
    },
  };
}

async function waitCaughtUp(edge: EdgeProcess): Promise<void> {
  const deadline = performance.now() + CATCH_UP_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if ((await readCounts(edge)).lag === 0) return;
    await new Promise((resolve) => setTimeout(resolve, CATCH_UP_POLL_MS));
  }
  throw new Error(`the index did not catch up within ${CATCH_UP_TIMEOUT_MS} ms\n${edge.stderr()}`);
}

async function readCounts(edge: EdgeProcess): Promise<EdgeCounts> {
  const answer = await fetch(`${edge.adminUrl}/metrics`);
  const text = await answer.text();
  const value = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  return {
    admitted: value(/^openbell_admissions_total\{verdict="accepted"\} (\S+)$/m),
    replays: value(/^openbell_replays_total (\S+)$/m),
    lag: value(/^openbell_index_lag_rows (\S+)$/m),
    syncs: value(/^openbell_fsync_duration_seconds_count (\S+)$/m),
  };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Sends one record of a request file. */
export async function post(url: string, request: string): Promise<Answer> {
  const [headers = '', sent = ''] = request.split('\r\n\r\n');
  const [line = '', ...lines] = headers.split('\r\n');
  const answer = await fetch(new URL(line.split(' ')[1] ?? '', url), {
    method: 'POST',
    headers: lines
      .filter((each) => !/^(host|content-length):/i.test(each))
      .map((each) => each.split(': ') as [string, string]),
    body: sent,
  });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

/** What an edge answers to this request, as the constant server is to answer it. */
export async function probe(
  url: string,
  request: string,
): Promise<{ readonly head: string; readonly body: string }> {
  const { status, headers, body } = await post(url, request);
  if (status !== 201) throw new Error(`the first request was answered ${status}: ${body}`);
  const head = ['content-type', 'location'].map((name) => `${name}: ${headers.get(name)}`);
  return { head: ['201 Created', ...head].join('\r\n'), body };
}

export async function startConstant(answer: {
  readonly head: string;
  readonly body: string;
}): Promise<Target> {
  const file = fileURLToPath(new URL('constant-server.js', import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(answer)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const [port] = (await Promise.race([
    once(child.stdout.setEncoding('utf8'), 'data'),
    exited.then(() => Promise.reject(new Error('the constant server did not start'))),
  ])) as [string];
  return {
    name: 'constant',
    pid: child.pid ?? -1,
    url: `http://127.0.0.1:${port.trim()}`,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
