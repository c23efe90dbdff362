// openbell and its peers as the servers of one comparison: each on a directory of its own, all told the same round and the
// same investors. Whoever is not among those is refused, so every request looks a balance up.

import { join } from 'node:path';
import {
  createRound,
  type EdgeProcess,
  importInvestors,
  startEdgeProcess,
} from '../../test/harness/node-process.js';
import { buildPeer, missingTools } from '../peers/build-peers.js';
import { PEERS, type Peer } from '../peers/peer-list.js';
import { type PeerRound, startPeer, writeInvestors } from '../peers/start-peer.js';
import { EDGE_ENV } from './targets.js';

export interface PeerTarget {
  readonly name: string;
  readonly title: string;
  readonly url: string;
  /** The processes that were started; they may have children. */
  readonly pids: readonly number[];
  stop(): Promise<unknown>;
  /** Ends it as a crash would, and starts it again on what it held. */
  crash(): Promise<PeerTarget>;
}

export interface Balance {
  readonly investor: string;
  readonly balance: number;
}

export const OPENBELL = 'openbell';

/** The edge alone: a ledger would settle 60 a second of what is admitted, and no peer has one. */
async function startOpenbell(
  dataDir: string,
  prepare: (edge: EdgeProcess) => Promise<void> = async () => undefined,
): Promise<PeerTarget> {
  const edge = await startEdgeProcess({ dataDir, env: EDGE_ENV });
  await prepare(edge);
  return {
    name: OPENBELL,
    title: 'openbell edge, production settings',
    url: edge.publicUrl,
    pids: [edge.pid],
    stop: () => edge.stop(),
    crash: async () => {
      await edge.kill();
      return startOpenbell(dataDir);
    },
  };
}

async function startPeerTarget(peer: Peer, dir: string, round: PeerRound, file: string): Promise<PeerTarget> {
  const running = await startPeer(peer, dir, round, file);
  return {
    name: peer.name,
    title: peer.title,
    url: running.url,
    pids: running.pids,
    stop: () => running.stop(),
    crash: async () => {
      await running.kill();
      return startPeerTarget(peer, dir, round, file);
    },
  };
}

export interface FreshTargets {
  readonly targets: PeerTarget[];
  /** Peers that this host cannot build or run, and what it lacks. */
  readonly missing: readonly string[];
}

/**
 * Builds the wanted peers and starts them, after openbell.
 * @param wanted names of peers; all when empty. Throws for one that is unknown
 */
export async function startTargets(
  dir: string,
  round: PeerRound,
  balances: () => Iterable<Balance>,
  wanted: readonly string[],
  log: (line: string) => void,
): Promise<FreshTargets> {
  const unknown = wanted.filter((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) throw new Error(`no peer is called ${unknown.join(', ')}`);
  const file = writeInvestors(dir, lines(balances()));
  const targets: PeerTarget[] = [];
  const missing: string[] = [];
  try {
    log('starting openbell');
    const openbell = await startOpenbell(join(dir, OPENBELL), async (edge) => {
      const { id, cap, minimum, maximum } = round;
      await createRound(edge, { id, cap, minimum, maximum, unknownBalance: 'refuse' });
      await importInvestors({ edge }, [...balances()]);
    });
    targets.push(openbell);
    for (const peer of PEERS) {
      if (wanted.length > 0 && !wanted.includes(peer.name)) continue;
      const lacks = missingTools(peer);
      if (lacks.length > 0) {
        missing.push(`${peer.name} needs ${lacks.join(', ')}`);
        continue;
      }
      log(`starting ${peer.name}`);
      buildPeer(peer);
      targets.push(await startPeerTarget(peer, join(dir, peer.name), round, file));
    }
  } catch (error) {
    await Promise.allSettled(targets.map((target) => target.stop()));
    throw error;
  }
  return { targets, missing };
}

function* lines(balances: Iterable<Balance>): Generator<string> {
  for (const { investor, balance } of balances) yield `${investor} ${balance}`;
}
