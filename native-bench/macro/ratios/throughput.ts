// R1 and R2: durable admissions a second beside constant answers a second, and the CPU of each.

import { compare } from '../compare.js';
import { type Figure, markdown, type Summary, summarize } from '../report.js';
import type { Bench, Measured, Ratio, Reached } from './ratio.js';

/** R1 by number of connections. */
const R1_TARGETS: ReadonlyMap<number, number> = new Map([
  [64, 0.6],
  [256, 0.75],
  [1_024, 0.8],
]);
const R1_TARGET = 0.75;
const R2_TARGET = 1.8;
const R2_MAIN_TARGET = 1.2;

function reached({ connections, ratio, ...summary }: Summary): Reached[] {
  const at = `${connections} connections`;
  const cpu = (what: string, target: number, { median, min, max }: Figure): Reached => ({
    ...{ id: 'R2', what: `${what}, ${at}`, value: median, low: min, high: max },
    target: { is: 'at most', value: target },
  });
  return [
    {
      ...{ id: 'R1', what: `rate ÷ constant's, ${at}`, value: ratio.median },
      ...{ low: ratio.min, high: ratio.max },
      target: { is: 'at least', value: R1_TARGETS.get(connections) ?? R1_TARGET },
    },
    cpu("CPU ÷ constant's", R2_TARGET, summary.cpuRatio),
    cpu('CPU, index caught up ÷ its', R2_TARGET, summary.settledCpuRatio),
    cpu('main thread ÷ its', R2_MAIN_TARGET, summary.mainCpuRatio),
    cpu('main, index caught up ÷ its', R2_MAIN_TARGET, summary.settledMainCpuRatio),
  ];
}

async function measure(bench: Bench): Promise<Measured> {
  const { sizes, log } = bench;
  const requests = bench.requests();
  const constant = await bench.constant();
  try {
    const summaries: Summary[] = [];
    const blocks: Record<string, unknown> = {};
    for (const connections of sizes.connections) {
      const edge = await bench.edge(`edge-${connections}`);
      try {
        const own = await compare(edge, constant, {
          ...{ connections, rounds: sizes.rounds, seconds: sizes.seconds },
          ...requests,
          onBlock: (target, round) => log(`${connections} connections, round ${round}: ${target}`),
        });
        blocks[`${connections}`] = own;
        summaries.push(summarize(connections, own));
      } finally {
        await edge.stop();
      }
    }
    return {
      reached: summaries.flatMap(reached),
      detail: { summaries, blocks },
      notes: [markdown(summaries)],
    };
  } finally {
    await constant.stop();
  }
}

export const THROUGHPUT: Ratio = { ids: ['r1', 'r2'], title: 'Throughput and CPU', measure };
