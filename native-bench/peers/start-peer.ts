// Starts a peer on a directory, with its store where it has one, and says which processes it is made of.

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '../../src/core/problem.js';
import { TEST_JWT_SECRET, watch } from '../../test/harness/node-process.js';
import { BINARIES, PEERS_DIR } from './build-peers.js';
import type { Peer } from './peer-list.js';
import { type Service, startPostgres, startRedis } from './services.js';

/** One round in minor units of one currency, open from the start, where an investor who is not known is refused. */
export interface PeerRound {
  readonly id: string;
  readonly currency: string;
  readonly cap: number;
  readonly minimum: number;
  readonly maximum: number;
}

export interface RunningPeer {
  readonly url: string;
  /** The processes that were started; they may have children. */
  readonly pids: readonly number[];
  /** In order, server before store. Throws when one does not end well. */
  stop(): Promise<void>;
  /** As a crash would. */
  kill(): Promise<void>;
}

const READY_TIMEOUT_MS = 10 * 60_000;

/** Writes the investors that a new store is filled with, `investor balance` a line; `dir` becomes readable for a store of another user. */
export function writeInvestors(dir: string, lines: Iterable<string>): string {
  const file = join(dir, 'investors');
  chmodSync(dir, 0o755);
  const chunks: string[] = [];
  for (const line of lines) chunks.push(`${line}\n`);
  writeFileSync(file, chunks.join(''));
  return file;
}

/** Every problem as a peer writes it. */
function problemTexts(): string {
  const texts = Object.entries(PROBLEMS).map(([code, { status, title, explanation }]) => [
    code,
    { status, title, detail: explanation },
  ]);
  return JSON.stringify(Object.fromEntries(texts));
}

function command(peer: Peer): string[] {
  if (peer.toolchain !== 'node') return [BINARIES[peer.toolchain]];
  return [process.execPath, join(PEERS_DIR, 'node', peer.script)];
}

async function startStore(peer: Peer, dir: string): Promise<Service | null> {
  switch (peer.store) {
    case 'none':
      return null;
    case 'redis':
      return startRedis(dir);
    case 'postgres':
      return startPostgres(dir);
  }
}

/**
 * Starts the peer, which must be built, and waits until it listens. The same `dir` brings back what it held.
 * @param investorsFile by `writeInvestors`
 */
export async function startPeer(
  peer: Peer,
  dir: string,
  round: PeerRound,
  investorsFile: string,
): Promise<RunningPeer> {
  mkdirSync(dir, { recursive: true });
  const store = await startStore(peer, dir);
  const [file, ...args] = command(peer) as [string, ...string[]];
  const child = watch(
    spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_ENV: 'production',
        PEER_DATA_DIR: dir,
        PEER_JWT_SECRET: TEST_JWT_SECRET,
        PEER_PROBLEMS: problemTexts(),
        PEER_INVESTORS: investorsFile,
        PEER_STORE: store?.socket ?? '',
        PEER_ROUND: round.id,
        PEER_CURRENCY: round.currency,
        PEER_CAP: `${round.cap}`,
        PEER_MINIMUM: `${round.minimum}`,
        PEER_MAXIMUM: `${round.maximum}`,
      },
    }),
  );
  const port = await listeningPort(peer, child).catch(async (error: unknown) => {
    await child.kill();
    await store?.kill();
    throw error;
  });
  return {
    url: `http://127.0.0.1:${port}`,
    pids: [child.pid, ...(store === null ? [] : [store.pid])],
    async stop() {
      const { code } = await child.stop();
      await store?.stop();
      if (code !== 0) throw new Error(`${peer.name} exited with ${code}\n${child.stderr()}`);
    },
    async kill() {
      await child.kill();
      await store?.kill();
    },
  };
}

/** Waits for the line in which a peer says where it listens; filling a new store comes before it. */
async function listeningPort(peer: Peer, child: ReturnType<typeof watch>): Promise<number> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline && !child.hasExited()) {
    const port = /^\{"port":(\d+)\}$/m.exec(child.stdout())?.[1];
    if (port !== undefined) return Number.parseInt(port, 10);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${peer.name} did not listen\n${child.stderr()}`);
}
