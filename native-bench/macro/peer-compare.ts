// Blocks of the same load on openbell and every peer in turns, to and fro, so that what drifts on the machine drifts for all.

import { poorBetween } from './mixed-requests.js';
import type { PeerTarget } from './peer-targets.js';
import { treeCpuS } from './process-tree.js';
import { runWrk, type WrkReport } from './wrk.js';

export interface PeerBlock extends WrkReport {
  readonly target: string;
  readonly round: number;
  readonly perSecond: number;
  /** CPU of all its processes, until it had done what the block left it to do. */
  readonly serverCpuS: number;
}

export interface PeerCompareOptions {
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly file: string;
  readonly recordBytes: number;
  /** Records of the file; each goes once to each server at most. */
  readonly records: number;
  readonly onBlock: (target: string, round: number) => void;
}

/** Idle is less than a twentieth of a core. */
const QUIET_SHARE = 0.05;
const QUIET_MS = 250;
const QUIET_TIMEOUT_MS = 20_000;

/** Waits until the server does no more behind its answers (index, checkpoint, collector); its CPU so far, in seconds. */
async function quietCpuS(target: PeerTarget): Promise<number> {
  const deadline = performance.now() + QUIET_TIMEOUT_MS;
  let before = treeCpuS(target.pids);
  let beforeMs = performance.now();
  while (performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const now = treeCpuS(target.pids);
    const nowMs = performance.now();
    if (now - before < (QUIET_SHARE * (nowMs - beforeMs)) / 1_000) return now;
    before = now;
    beforeMs = nowMs;
  }
  return before;
}

/** Positions in the request file, from `first` up to `end`. */
export interface Answered {
  readonly first: number;
  readonly end: number;
}

export interface PeerComparison {
  readonly blocks: readonly PeerBlock[];
  /** What each server has answered for certain in its last block. */
  readonly answered: ReadonlyMap<string, Answered>;
}

/** A block of each to warm up, then `rounds` times all of them, every other round backwards. Throws when a figure would not be one. */
export async function comparePeers(
  targets: readonly PeerTarget[],
  options: PeerCompareOptions,
): Promise<PeerComparison> {
  const nextRecord = new Map<string, number>();
  const answered = new Map<string, Answered>();
  const block = async (target: PeerTarget, round: number): Promise<PeerBlock> => {
    const { connections, seconds, file, recordBytes } = options;
    const firstRecord = nextRecord.get(target.name) ?? 0;
    const records = options.records - firstRecord;
    const cpuBefore = await quietCpuS(target);
    const report = await runWrk({
      url: target.url,
      connections,
      seconds,
      file,
      recordBytes,
      firstRecord,
      records,
    });
    const serverCpuS = (await quietCpuS(target)) - cpuBefore;
    checkReport(target.name, report, firstRecord, connections);
    // What was answered, what was in flight at the end, and the one that wrk asks for before it starts.
    nextRecord.set(target.name, firstRecord + report.requests + connections + 1);
    answered.set(target.name, { first: firstRecord + 1, end: firstRecord + report.requests - connections });
    const perSecond = report.requests / (report.durationUs / 1e6);
    return { ...report, target: target.name, round, perSecond, serverCpuS };
  };
  for (const target of targets) {
    options.onBlock(`${target.name}, warm-up`, 0);
    await block(target, 0);
  }
  const blocks: PeerBlock[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const target of round % 2 === 1 ? targets : targets.toReversed()) {
      options.onBlock(target.name, round);
      blocks.push(await block(target, round));
    }
  }
  return { blocks, answered };
}

/** Every answer is a 201 or a replay, but for the poor, and just those are refused. */
function checkReport(name: string, report: WrkReport, firstRecord: number, connections: number): void {
  const { requests, refused, failed, ranOut } = report;
  if (ranOut) throw new Error('too few records (--per-second-max): some went out twice');
  if (requests === 0 || failed > 0) throw new Error(`${name}: ${requests} answers, ${failed} failed`);
  const poor = poorBetween(firstRecord + 1, requests);
  // Answers come in another order than requests: as many as are in flight may be on either side of the end.
  const slack = poorBetween(firstRecord, connections) + connections / 10 + 2;
  if (Math.abs(refused - poor) > slack) {
    throw new Error(`${name}: ${refused} of ${requests} refused, where ${poor} are of poor investors`);
  }
}
