// Interleaved blocks of load on two servers, A B B A, so that whatever drifts on the machine drifts for both.

import { type CpuUse, cpuUse, readCpuTimes } from './cpu-time.js';
import type { EdgeTarget, Target } from './targets.js';
import { runWrk, type WrkReport } from './wrk.js';

export interface Block extends WrkReport {
  readonly target: Target['name'];
  readonly round: number;
  readonly perSecond: number;
  /** While the load ran. */
  readonly cpu: CpuUse;
  /** Until the index had caught up as well: what the block cost in all. */
  readonly settledCpu: CpuUse;
  /** Syncs of the journal in this block; 0 for the constant server. */
  readonly syncs: number;
}

export interface CompareOptions {
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly file: string;
  readonly recordBytes: number;
  /** Records of the file; each goes to the edge once at most. */
  readonly records: number;
  /** Called before each block. */
  readonly onBlock: (target: string, round: number) => void;
}

const WARM_UP_S = 2;

/** A warm-up of each, then `rounds` times edge, constant, constant, edge. Throws when a figure would not be one. */
export async function compare(edge: EdgeTarget, constant: Target, options: CompareOptions): Promise<Block[]> {
  let nextRecord = 0;
  const block = async (target: Target, round: number, seconds: number): Promise<Block> => {
    const { connections, file, recordBytes } = options;
    const counted = await edge.counts();
    const before = readCpuTimes(target.pid);
    const records = { firstRecord: nextRecord, records: options.records - nextRecord };
    const report = await runWrk({ url: target.url, connections, seconds, file, recordBytes, ...records });
    const cpu = cpuUse(target.pid, before, readCpuTimes(target.pid));
    // The next block must not pay for this one.
    if (target === edge) await edge.caughtUp();
    const settledCpu = cpuUse(target.pid, before, readCpuTimes(target.pid));
    const now = await edge.counts();
    // What was answered, what was in flight at the end, and the one that wrk asks for before it starts.
    if (target === edge) nextRecord += report.requests + connections + 1;
    checkReport(target, report);
    if (target === edge) checkAdmitted(report, now.admitted - counted.admitted, connections);
    const perSecond = report.requests / (report.durationUs / 1e6);
    return {
      ...report,
      target: target.name,
      round,
      perSecond,
      cpu,
      settledCpu,
      syncs: now.syncs - counted.syncs,
    };
  };
  for (const target of [edge, constant]) {
    options.onBlock(`${target.name}, warm-up`, 0);
    await block(target, 0, Math.min(WARM_UP_S, options.seconds));
  }
  const blocks: Block[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    for (const target of [edge, constant, constant, edge]) {
      options.onBlock(target.name, round);
      blocks.push(await block(target, round, options.seconds));
    }
  }
  return blocks;
}

function checkReport(target: Target, { refused, failed, ranOut, requests }: WrkReport): void {
  // The constant server does not mind, and is faster than a file can be long.
  if (ranOut && target.name === 'openbell')
    throw new Error('too few records (--per-second-max): some went out twice');
  if (requests === 0 || refused > 0 || failed > 0) {
    throw new Error(`${target.name}: ${requests} answers, of which ${refused} no 201, and ${failed} failed`);
  }
}

/** The node admitted what was answered 201, and what was in flight when the generator stopped, but not more. */
function checkAdmitted({ requests }: WrkReport, admitted: number, connections: number): void {
  if (admitted < requests || admitted > requests + connections) {
    throw new Error(`${requests} answers of 201, but the node counts ${admitted} admissions`);
  }
}
