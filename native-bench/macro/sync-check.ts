// Refuses a server that answers before its disk has: strace holds every sync of the running server back for a moment, and
// every 201 must come that much later. What is measured is the very process that was checked.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processTree } from './process-tree.js';
import { post } from './targets.js';

export interface CheckedServer {
  readonly name: string;
  readonly url: string;
  readonly pids: readonly number[];
}

/** Long beside any answer on an idle server, short enough to be done a few times. */
const DELAY_MS = 200;
const ATTACH_TIMEOUT_MS = 20_000;
/** Those that promise that the bytes are on the disk; msync does not always. */
const CALLS = 'fsync,fdatasync';

/** Why no server can be checked here; false if it can. Where every tool is required, it is tried, and so fails. */
export function syncCheckMissing(): string | false {
  if (process.env['REQUIRE_ENGINES'] === '1') return false;
  const sleeper = spawn('sleep', ['10'], { stdio: 'ignore' });
  try {
    const args = ['-o', '/dev/null', '-e', 'trace=none', '-p', `${sleeper.pid}`];
    const { error, stderr } = spawnSync('strace', args, { encoding: 'utf8', timeout: 500 });
    // It traces until it is stopped: a time-out is what success looks like.
    const isTracing = error !== undefined && 'code' in error && error.code === 'ETIMEDOUT';
    return isTracing ? false : `strace cannot attach on this host: ${error?.message ?? stderr.trim()}`;
  } finally {
    sleeper.kill('SIGKILL');
  }
}

/** Attaches to every process of the server; resolves to what detaches and gives the trace. */
async function attach(server: CheckedServer): Promise<() => Promise<string>> {
  const dir = mkdtempSync(join(tmpdir(), 'openbell-sync-'));
  const traceFile = join(dir, 'trace');
  const pids = processTree(server.pids);
  const inject = `inject=${CALLS}:delay_enter=${DELAY_MS * 1_000}`;
  const args = ['-f', '-o', traceFile, '-e', `trace=${CALLS}`, '-e', inject];
  const child = spawn('strace', [...args, ...pids.flatMap((pid) => ['-p', `${pid}`])], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8');
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`strace did not attach\n${said}`)), ATTACH_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`strace did not attach to ${server.name}\n${said}`)));
    child.stderr.on('data', (text: string) => {
      said += text;
      // One line a process that was named, then one for each that it starts.
      if ((said.match(/^strace: Process \d+ attached/gm) ?? []).length < pids.length) return;
      clearTimeout(timer);
      resolve();
    });
  }).catch((error: unknown) => {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
    throw error;
  });
  return async () => {
    child.kill('SIGINT');
    await exited;
    const trace = readFileSync(traceFile, 'utf8');
    rmSync(dir, { recursive: true, force: true });
    return trace;
  };
}

/**
 * Sends the requests, the first alone and the others together, while every sync takes DELAY_MS longer.
 * Throws when one is not answered 201, or sooner than its sync can have ended.
 * @param requests whole HTTP requests that the server is to accept
 */
export async function checkSyncs(server: CheckedServer, requests: readonly string[]): Promise<void> {
  const detach = await attach(server);
  const timed = async (request: string): Promise<void> => {
    const startMs = performance.now();
    const { status, body } = await post(server.url, request);
    const tookMs = performance.now() - startMs;
    if (status !== 201) throw new Error(`${server.name}: ${status} ${body}`);
    if (tookMs < DELAY_MS) {
      throw new Error(
        `${server.name} answered after ${tookMs.toFixed(1)} ms, before a sync of ${DELAY_MS} ms: not durable`,
      );
    }
  };
  let trace: string;
  try {
    const [first = '', ...others] = requests;
    await timed(first);
    await Promise.all(others.map(timed));
  } finally {
    trace = await detach();
  }
  if (!trace.includes('(DELAYED)')) throw new Error(`${server.name}: strace has held no sync back`);
}
