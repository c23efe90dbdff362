// Edge and ledger as real child processes in a temporary data directory, for tests that kill, fault or talk to them.
// Only processes started here are ever signalled, by their pid.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { signToken } from '../../src/core/token-signing.js';
import { freePorts } from './ports.js';

/** The compiled command line. */
const CLI_FILE = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
/** Every process of the harness signs and verifies with this. */
export const TEST_JWT_SECRET = 'openbell-test-secret-not-for-production-0123456789';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_INTERVAL_MS = 20;
const STDERR_CHARACTERS_MAX = 262_144;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface NodeProcess {
  readonly pid: number;
  /** Settles when the process is gone and its output is read to the end. */
  readonly exited: Promise<Exit>;
  /** True once `exited` has settled. */
  hasExited(): boolean;
  /** The end of what the process has written to stderr, and to stdout. */
  stderr(): string;
  stdout(): string;
  /** SIGKILL, then waits for the exit. */
  kill(): Promise<Exit>;
  /** SIGTERM, then waits for an orderly exit; SIGKILL and an error if it takes too long. */
  stop(): Promise<Exit>;
  signal(name: NodeJS.Signals): void;
}

export interface EdgeProcess extends NodeProcess {
  readonly publicUrl: string;
  readonly publicPort: number;
  readonly adminUrl: string;
}

export interface LedgerProcess extends NodeProcess {
  readonly ledgerUrl: string;
}

export interface StartOptions {
  readonly dataDir: string;
  /** Ports to listen on; free ones when absent. Pass them to come back on the same addresses after a restart. */
  readonly ports?: readonly number[];
  /** OPENBELL_* settings over the harness's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments behind the command, such as `--rebuild`. */
  readonly args?: readonly string[];
  /** A command to run node under, such as strace with its arguments. It must keep the pid (strace -D). */
  readonly wrapper?: readonly string[];
  /** False: return as soon as the process is started. */
  readonly waitReady?: boolean;
  readonly readyTimeoutMs?: number;
}

/** A fresh data directory, and what removes it. */
export async function temporaryDataDir(): Promise<{ dataDir: string; remove(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'openbell-'));
  return { dataDir, remove: () => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }) };
}

/** Children of this process that still run: they must not outlive a test that breaks off. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Keeps hold of a child: its end, its output, and that it does not outlive this process. */
export function watch(child: ChildProcess): NodeProcess {
  running.add(child);
  const out = { stderr: '', stdout: '' };
  for (const name of ['stderr', 'stdout'] as const) {
    child[name]?.setEncoding('utf8');
    child[name]?.on('data', (text: string) => {
      out[name] = (out[name] + text).slice(-STDERR_CHARACTERS_MAX);
    });
  }
  let gone = false;
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', (error) => {
      running.delete(child);
      reject(error);
    });
    child.once('close', (code, signal) => {
      gone = true;
      running.delete(child);
      resolve({ code, signal });
    });
  });
  exited.catch(() => undefined); // whoever awaits it hears of it
  const end = (name: NodeJS.Signals): Promise<Exit> => {
    if (!gone) child.kill(name);
    return exited;
  };
  return {
    pid: child.pid ?? -1,
    exited,
    hasExited: () => gone,
    stderr: () => out.stderr,
    stdout: () => out.stdout,
    kill: () => end('SIGKILL'),
    signal: (name) => void child.kill(name),
    async stop() {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, STOP_TIMEOUT_MS);
      const exit = await end('SIGTERM');
      clearTimeout(timer);
      if (late) throw new Error(`did not stop within ${STOP_TIMEOUT_MS} ms of SIGTERM\n${out.stderr}`);
      return exit;
    },
  };
}

function baseEnv(options: StartOptions): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('OPENBELL_'));
  return {
    ...Object.fromEntries(inherited),
    OPENBELL_DATA_DIR: options.dataDir,
    OPENBELL_JWT_SECRET: TEST_JWT_SECRET,
    OPENBELL_HOST: '127.0.0.1',
    OPENBELL_LEDGER_RATE: '0',
    OPENBELL_INVESTOR_RATE: '0',
    OPENBELL_WORKERS: '1',
    ...options.env,
  };
}

function start(role: 'edge' | 'ledger', options: StartOptions, env: NodeJS.ProcessEnv): NodeProcess {
  const command = [...(options.wrapper ?? []), process.execPath, CLI_FILE, role, ...(options.args ?? [])];
  return watch(spawn(command[0] as string, command.slice(1), { env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Polls `/readyz` until it answers 200. Throws, with the end of stderr, if the process exits or time runs out. */
export async function waitReady(
  process: NodeProcess,
  url: string,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = 'no answer';
  while (performance.now() < deadline) {
    if (process.hasExited()) {
      const { code, signal } = await process.exited;
      throw new Error(`exited (${code ?? signal}) before it was ready\n${process.stderr()}`);
    }
    try {
      const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
      last = `${answer.status} ${await answer.text()}`;
      if (answer.status === 200) return;
    } catch (error) {
      last = (error as Error).message;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  await process.kill();
  throw new Error(`not ready within ${timeoutMs} ms: ${last}\n${process.stderr()}`);
}

/** Starts `openbell edge` and, unless told otherwise, waits until it is ready. */
export async function startEdgeProcess(options: StartOptions): Promise<EdgeProcess> {
  const [publicPort, adminPort] = (options.ports ?? (await freePorts(2))) as [number, number];
  const env = { ...baseEnv(options), OPENBELL_PORT: `${publicPort}`, OPENBELL_ADMIN_PORT: `${adminPort}` };
  const child = start('edge', options, env);
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  if (options.waitReady !== false) await waitReady(child, adminUrl, options.readyTimeoutMs);
  return { ...child, publicUrl: `http://127.0.0.1:${publicPort}`, publicPort, adminUrl };
}

/** Starts `openbell ledger` and, unless told otherwise, waits until it is ready. */
export async function startLedgerProcess(options: StartOptions): Promise<LedgerProcess> {
  const [port] = (options.ports ?? (await freePorts(1))) as [number];
  const child = start('ledger', options, { ...baseEnv(options), OPENBELL_LEDGER_PORT: `${port}` });
  const ledgerUrl = `http://127.0.0.1:${port}`;
  if (options.waitReady !== false) await waitReady(child, ledgerUrl, options.readyTimeoutMs);
  return { ...child, ledgerUrl };
}

/** Runs one `openbell` command to its end in the same settings. */
export async function runCommand(
  args: readonly string[],
  options: StartOptions,
): Promise<Exit & { stdout: string; stderr: string }> {
  const command = [process.execPath, CLI_FILE, ...args];
  const child = watch(
    spawn(command[0] as string, command.slice(1), {
      env: baseEnv(options),
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  return { ...(await child.exited), stdout: child.stdout(), stderr: child.stderr() };
}

const expiresAtS = (): number => Math.floor(Date.now() / 1000) + 3_600;

/** A token with the admin scope. */
export function adminToken(): string {
  return signToken(TEST_JWT_SECRET, {
    subject: 'test-admin',
    scope: 'openbell:admin',
    expiresAtS: expiresAtS(),
  });
}

/** A token of this investor. */
export function investorToken(investor: string): string {
  return signToken(TEST_JWT_SECRET, { subject: investor, expiresAtS: expiresAtS() });
}

/** One call with the admin token; throws on any other status than 2xx. Resolves to the parsed body. */
export async function adminCall(
  url: string,
  method: string,
  body?: { readonly type: string; readonly text: string },
): Promise<unknown> {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${adminToken()}`, ...(body ? { 'content-type': body.type } : {}) },
    ...(body ? { body: body.text } : {}),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

export interface RoundSettings {
  readonly id: string;
  readonly cap: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly unknownBalance?: 'refuse' | 'allow';
}

/** Creates a round in GBP and opens it. */
export async function createRound(
  edge: { readonly adminUrl: string },
  settings: RoundSettings,
): Promise<void> {
  const round = {
    name: settings.id,
    currency: 'GBP',
    minimum: 1_000,
    maximum: 200_000,
    opensAt: null,
    closesAt: null,
    unknownBalance: 'refuse',
    ...settings,
  };
  const rounds = `${edge.adminUrl}/admin/v1/rounds`;
  await adminCall(rounds, 'POST', { type: 'application/json', text: JSON.stringify(round) });
  await adminCall(`${rounds}/${settings.id}/open`, 'POST');
}

export interface InvestorLine {
  readonly investor: string;
  readonly balance: number;
  readonly eligible?: boolean;
}

const LINES_PER_REQUEST = 5_000;

/** Puts investors into the ledger's accounts and the edge's cache; either may be left out. */
export async function importInvestors(
  where: { readonly edge?: { readonly adminUrl: string }; readonly ledger?: { readonly ledgerUrl: string } },
  lines: readonly InvestorLine[],
): Promise<void> {
  for (let i = 0; i < lines.length; i += LINES_PER_REQUEST) {
    const text = lines
      .slice(i, i + LINES_PER_REQUEST)
      .map((line) => `${JSON.stringify({ currency: 'GBP', eligible: true, ...line })}\n`)
      .join('');
    const body = { type: 'application/x-ndjson', text };
    if (where.ledger) await adminCall(`${where.ledger.ledgerUrl}/admin/v1/accounts`, 'POST', body);
    if (where.edge) await adminCall(`${where.edge.adminUrl}/admin/v1/investors`, 'POST', body);
  }
}
