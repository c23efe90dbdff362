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

export interface EdgeTarget extends Target {
  /** Admissions by the node's own count, and the syncs that they shared. */
  counts(): Promise<{ readonly admitted: number; readonly syncs: number }>;
}

/** The settings of production, except that no ledger runs: it would settle 60 a second of what is admitted. */
export const EDGE_ENV = { OPENBELL_INVESTOR_RATE: '10', OPENBELL_LOG_LEVEL: 'warn' };

export async function startEdge(dataDir: string, round: string, amount: number): Promise<EdgeTarget> {
  const edge = await startEdgeProcess({ dataDir, env: EDGE_ENV });
  await createRound(edge, {
    id: round,
    cap: 9e15,
    minimum: amount,
    maximum: amount,
    unknownBalance: 'allow',
  });
  return {
    name: 'openbell',
    pid: edge.pid,
    url: edge.publicUrl,
    counts: () => readCounts(edge),
    stop: async () => {
      const { code } = await edge.stop();
      if (code !== 0) throw new Error(`the edge exited with ${code}\n${edge.stderr()}`);
    },
  };
}

async function readCounts(edge: EdgeProcess): Promise<{ admitted: number; syncs: number }> {
  const answer = await fetch(`${edge.adminUrl}/metrics`);
  const text = await answer.text();
  const value = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  return {
    admitted: value(/^openbell_admissions_total\{verdict="accepted"\} (\S+)$/m),
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
