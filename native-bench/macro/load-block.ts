// One block of load with a request file, and what it cost; and pairs of such blocks, to and fro.

import { type CpuUse, cpuUse, readCpuTimes } from './cpu-time.js';
import type { RequestSet } from './ratios/ratio.js';
import { type Figure, figure, median } from './report.js';
import type { Target } from './targets.js';
import { runWrk, type WrkReport } from './wrk.js';

export interface LoadOptions extends RequestSet {
  readonly connections: number;
  readonly seconds: number;
  readonly firstRecord: number;
}

export interface LoadBlock extends WrkReport {
  readonly perSecond: number;
  readonly cpu: CpuUse;
}

/** Throws when nothing was answered, or a connection failed; what the answers are is the caller's to check. */
export async function loadBlock(target: Target, options: LoadOptions): Promise<LoadBlock> {
  const before = readCpuTimes(target.pid);
  const report = await runWrk({
    ...options,
    url: target.url,
    records: options.records - options.firstRecord,
  });
  const cpu = cpuUse(target.pid, before, readCpuTimes(target.pid));
  if (report.requests === 0 || report.failed > 0) {
    throw new Error(`${target.name}: ${report.requests} answers, ${report.failed} failed`);
  }
  return { ...report, perSecond: report.requests / (report.durationUs / 1e6), cpu };
}

/** CPU of the server, in microseconds an answer. */
export const cpuUsOf = ({ cpu, requests }: LoadBlock): number => (cpu.totalS * 1e6) / requests;

export interface Pair<T> {
  readonly round: number;
  readonly a: readonly [T, T];
  readonly b: readonly [T, T];
}

/** `rounds` times A B B A, so that what drifts on the machine drifts for both. */
export async function toAndFro<T>(
  rounds: number,
  a: () => Promise<T>,
  b: () => Promise<T>,
): Promise<Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let round = 1; round <= rounds; round++) {
    const a1 = await a();
    const b1 = await b();
    const b2 = await b();
    pairs.push({ round, a: [a1, await a()], b: [b1, b2] });
  }
  return pairs;
}

/** The median of A over that of B; the spread is that of the rounds. */
export function ratioOf<T>(pairs: readonly Pair<T>[], value: (block: T) => number): Figure {
  const all = (side: 'a' | 'b'): number => median(pairs.flatMap((pair) => pair[side].map(value)));
  const byRound = pairs.map(({ a, b }) => median(a.map(value)) / median(b.map(value)));
  return { ...figure(byRound), median: all('a') / all('b') };
}
