// Redis and PostgreSQL as child processes over a Unix socket, with their data in a directory of the caller's.

import { execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, constants, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type NodeProcess, watch } from '../../test/harness/node-process.js';
import { toolPath } from '../../test/harness/tools.js';

export interface Service {
  readonly pid: number;
  /** What a peer is told as PEER_STORE. */
  readonly socket: string;
  stop(): Promise<void>;
  /** As a crash would end it. */
  kill(): Promise<void>;
}

const CONFIG_DIR = fileURLToPath(new URL('../../../native-bench/peers', import.meta.url));
/** Where Debian puts the programs of a server, which are not all on the PATH. */
const POSTGRES_DIR = '/usr/lib/postgresql/15/bin';
const POSTGRES_USER = 'postgres';
const READY_TIMEOUT_MS = 60_000;
const POLL_INTERVAL_MS = 20;

/** The path of a program of PostgreSQL 15, or undefined. */
export function postgresTool(name: string): string | undefined {
  const path = join(POSTGRES_DIR, name);
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

async function waitFor(child: NodeProcess, what: string, isReady: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline && !child.hasExited()) {
    if (await isReady()) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  await child.kill();
  throw new Error(`${what} did not start\n${child.stdout()}${child.stderr()}`);
}

/** Whether Redis answers PING with PONG: it refuses while it loads its log. */
function redisAnswers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (bytes: Buffer) => end(bytes.toString('latin1').startsWith('+PONG')));
    socket.once('error', () => end(false));
  });
}

export async function startRedis(dir: string): Promise<Service> {
  const server = toolPath('redis-server');
  if (server === undefined) throw new Error('redis-server is not installed');
  const dataDir = join(dir, 'redis');
  mkdirSync(dataDir, { recursive: true });
  const socket = join(dataDir, 'redis.sock');
  const args = [join(CONFIG_DIR, 'redis.conf'), '--dir', dataDir, '--unixsocket', socket];
  const child = watch(spawn(server, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  await waitFor(child, 'redis-server', () => redisAnswers(socket));
  return {
    pid: child.pid,
    socket,
    stop: async () => void (await child.stop()),
    kill: async () => void (await child.kill()),
  };
}

/** PostgreSQL refuses to run as root: root runs it as the user that Debian made for it. */
function postgresOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number =>
    Number.parseInt(execFileSync('id', [flag, POSTGRES_USER], { encoding: 'utf8' }), 10);
  return { uid: id('-u'), gid: id('-g') };
}

/** The settings of postgresql.conf as arguments: its user may not be able to reach the file. */
function postgresSettings(): string[] {
  const text = readFileSync(join(CONFIG_DIR, 'postgresql.conf'), 'utf8');
  return [...text.matchAll(/^(\w+) = '?([^'\n]*)'?$/gm)].flatMap(([, name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
}

export async function startPostgres(dir: string): Promise<Service> {
  const [server, initdb, isReady] = ['postgres', 'initdb', 'pg_isready'].map(postgresTool);
  if (server === undefined || initdb === undefined || isReady === undefined) {
    throw new Error(`PostgreSQL 15 is not installed in ${POSTGRES_DIR}`);
  }
  const owner = postgresOwner();
  const home = join(dir, 'postgres');
  const dataDir = join(home, 'data');
  if (!existsSync(dataDir)) {
    mkdirSync(home, { recursive: true });
    if (owner !== undefined) chownSync(home, owner.uid, owner.gid);
    const args = [
      '-D',
      dataDir,
      '-U',
      'peer',
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '--no-instructions',
    ];
    execFileSync(initdb, args, { ...owner, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  }
  const args = ['-D', dataDir, '-k', home, ...postgresSettings()];
  const child = watch(spawn(server, args, { ...owner, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] }));
  await waitFor(child, 'postgres', async () => {
    try {
      execFileSync(isReady, ['-q', '-h', home]);
      return true;
    } catch {
      return false;
    }
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.signal(signal);
    await child.exited;
  };
  return {
    pid: child.pid,
    socket: home,
    stop: () => end('SIGINT'),
    // Not SIGKILL: its children would hold the shared memory on. An immediate shutdown leaves the same to recover.
    kill: () => end('SIGQUIT'),
  };
}
