// Medians, spread and the Markdown table of a comparison.

import type { Block } from './compare.js';

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Summary {
  readonly connections: number;
  /** Durable admissions a second ÷ constant answers a second: of the medians, and round by round. */
  readonly ratio: Figure;
  /** Server CPU per admission ÷ per constant answer: of the whole process, and of its main thread. */
  readonly cpuRatio: Figure;
  readonly mainCpuRatio: Figure;
  /** The same, with what the index cost after the block. */
  readonly settledCpuRatio: Figure;
  readonly settledMainCpuRatio: Figure;
  readonly admissionsPerSync: number;
  readonly rows: readonly SummaryRow[];
}

export interface SummaryRow {
  readonly target: Block['target'];
  readonly perSecond: Figure;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Microseconds of CPU per request. */
  readonly cpuUs: {
    readonly server: number;
    readonly main: number;
    readonly busiest: number;
    readonly rest: number;
    /** Of all threads, until the index had caught up. */
    readonly settled: number;
    readonly settledMain: number;
  };
  readonly generatorCpuUs: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Median and spread. */
export const figure = (values: readonly number[]): Figure => ({
  median: median(values),
  min: Math.min(...values),
  max: Math.max(...values),
});

const perRequest =
  (cpuS: (block: Block) => number) =>
  (block: Block): number =>
    cpuS(block) / block.requests;

export function summarize(connections: number, blocks: readonly Block[]): Summary {
  const row = (target: Block['target']): SummaryRow => {
    const own = blocks.filter((block) => block.target === target);
    const perRequestUs = (cpuS: (block: Block) => number): number => 1e6 * median(own.map(perRequest(cpuS)));
    return {
      target,
      perSecond: figure(own.map(({ perSecond }) => perSecond)),
      p50Ms: median(own.map(({ p50Us }) => p50Us)) / 1e3,
      p99Ms: median(own.map(({ p99Us }) => p99Us)) / 1e3,
      cpuUs: {
        server: perRequestUs(({ cpu }) => cpu.totalS),
        main: perRequestUs(({ cpu }) => cpu.mainS),
        busiest: perRequestUs(({ cpu }) => cpu.busiestS),
        rest: perRequestUs(({ cpu }) => cpu.restS),
        settled: perRequestUs(({ settledCpu }) => settledCpu.totalS),
        settledMain: perRequestUs(({ settledCpu }) => settledCpu.mainS),
      },
      generatorCpuUs: perRequestUs(({ cpuS }) => cpuS),
    };
  };
  const rounds = [...new Set(blocks.map(({ round }) => round))];
  /** Median over median; the spread is that of the rounds. */
  const ratio = (ours: (block: Block) => number, theirs: (block: Block) => number = ours): Figure => {
    const of = (target: Block['target'], value: (block: Block) => number, round?: number): number =>
      median(
        blocks
          .filter((block) => block.target === target && (round === undefined || block.round === round))
          .map(value),
      );
    const over = (round?: number): number => of('openbell', ours, round) / of('constant', theirs, round);
    return { ...figure(rounds.map(over)), median: over() };
  };
  const all = perRequest(({ cpu }) => cpu.totalS);
  const main = perRequest(({ cpu }) => cpu.mainS);
  return {
    connections,
    ratio: ratio(({ perSecond }) => perSecond),
    cpuRatio: ratio(all),
    mainCpuRatio: ratio(main),
    settledCpuRatio: ratio(
      perRequest(({ settledCpu }) => settledCpu.totalS),
      all,
    ),
    settledMainCpuRatio: ratio(
      perRequest(({ settledCpu }) => settledCpu.mainS),
      main,
    ),
    admissionsPerSync: median(
      blocks.filter(({ syncs }) => syncs > 0).map(({ requests, syncs }) => requests / syncs),
    ),
    rows: [row('openbell'), row('constant')],
  };
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en-GB');
export const fixed = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '-';

/** Two tables: the rates and ratios, and where the CPU goes. */
export function markdown(summaries: readonly Summary[]): string {
  const rates = summaries.map(({ connections, ratio, rows, admissionsPerSync }) => {
    const cells = rows.map(
      ({ perSecond, p50Ms, p99Ms }) =>
        `${whole(perSecond.median)} (${whole(perSecond.min)}-${whole(perSecond.max)}) | ${fixed(p50Ms, 1)} / ${fixed(p99Ms, 1)}`,
    );
    const spread = `${fixed(ratio.min, 2)}-${fixed(ratio.max, 2)}`;
    return `| ${connections} | ${cells.join(' | ')} | **${fixed(ratio.median, 2)}** (${spread}) | ${whole(admissionsPerSync)} |`;
  });
  const cpu = summaries.flatMap(
    ({ connections, rows, cpuRatio, mainCpuRatio, settledCpuRatio, settledMainCpuRatio }) =>
      rows.map(({ target, cpuUs, generatorCpuUs }) => {
        const parts = [
          cpuUs.server,
          cpuUs.main,
          cpuUs.busiest,
          cpuUs.rest,
          cpuUs.settled,
          generatorCpuUs,
        ].map((us) => fixed(us, 1));
        const ratios =
          target === 'openbell'
            ? `${fixed(cpuRatio.median, 2)} / ${fixed(mainCpuRatio.median, 2)} (${fixed(settledCpuRatio.median, 2)} / ${fixed(settledMainCpuRatio.median, 2)})`
            : '';
        return `| ${connections} | ${target} | ${parts.join(' | ')} | ${ratios} |`;
      }),
  );
  return [
    '| connections | durable admissions/s | p50 / p99 ms | constant answers/s | p50 / p99 ms | ratio | admissions per sync |',
    '|---|---|---|---|---|---|---|',
    ...rates,
    '',
    '| connections | server | CPU µs a request | main thread | busiest other | rest | all, with the index | generator | ratio: all / main (with the index) |',
    '|---|---|---|---|---|---|---|---|---|',
    ...cpu,
    '',
  ].join('\n');
}
