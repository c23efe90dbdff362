// R5: how much of its peak a node can be given for good: the highest planned rate at which the slowest of a thousand still has
// its verdict within 10 ms of the time planned for it.

import { loadBlock } from '../load-block.js';
import { type OpenLoopReport, runOpenLoop } from '../open-loop.js';
import { median } from '../report.js';
import type { Bench, Measured, Ratio } from './ratio.js';

const TARGET = 0.7;
const P999_MS_MAX = 10;
const CONNECTIONS = 256;
/** Of the peak: the search starts half-way between it and the peak. */
const LOW_SHARE = 0.1;
const TRIES = 2;

interface Step extends OpenLoopReport {
  readonly rate: number;
  readonly isGood: boolean;
}

async function measure(bench: Bench): Promise<Measured> {
  const requests = bench.requests();
  const { loadConnections, seconds, stepSeconds, halvings } = bench.sizes;
  const edge = await bench.edge('open-loop');
  let nextRecord = 0;
  const peak = async (): Promise<number> => {
    const own = { ...requests, connections: loadConnections, seconds, firstRecord: nextRecord };
    const block = await loadBlock(edge, own);
    if (block.refused > 0 || block.ranOut) throw new Error(`${block.refused} requests were refused`);
    nextRecord += block.requests + loadConnections + 1;
    await edge.caughtUp();
    return block.perSecond;
  };
  const steps: Step[] = [];
  const step = async (rate: number): Promise<boolean> => {
    if (nextRecord + rate * stepSeconds > requests.records) throw new Error('too few records for the search');
    const report = await runOpenLoop({
      ...{ port: edge.port, connections: CONNECTIONS, rate, seconds: stepSeconds },
      ...{ file: requests.file, recordBytes: requests.recordBytes, firstRecord: nextRecord },
    });
    nextRecord += report.planned;
    await edge.caughtUp();
    const isGood = report.created === report.planned && report.failed === 0 && report.p999Ms <= P999_MS_MAX;
    steps.push({ rate, isGood, ...report });
    bench.log(`R5: ${rate} a second: p99.9 ${report.p999Ms.toFixed(1)} ms, ${isGood ? 'good' : 'too slow'}`);
    return isGood;
  };
  /** One bad moment of the machine must not end the search. */
  const isGoodRate = async (rate: number): Promise<boolean> => {
    for (let attempt = 0; attempt < TRIES; attempt++) if (await step(rate)) return true;
    return false;
  };
  try {
    const peaks = [await peak(), await peak()];
    let low = 0;
    let high = Math.floor(median(peaks));
    let rate = Math.floor((high * (LOW_SHARE + 1)) / 2);
    for (let i = 0; i < halvings; i++) {
      if (await isGoodRate(rate)) low = rate;
      else high = rate;
      rate = Math.floor((low + high) / 2);
    }
    peaks.push(await peak());
    const reachedRate = low;
    const best = steps.find((each) => each.rate === low && each.isGood);
    return {
      reached: [
        {
          ...{ id: 'R5', what: 'open-loop rate, p99.9 ≤ 10 ms ÷ peak' },
          ...{ value: reachedRate / median(peaks) },
          ...{ low: reachedRate / Math.max(...peaks), high: reachedRate / Math.min(...peaks) },
          target: { is: 'at least', value: TARGET },
        },
      ],
      detail: { peaks, steps },
      notes: [
        `R5: ${reachedRate} a second planned, peak ${median(peaks).toFixed(0)}; p50 ${(best?.p50Ms ?? 0).toFixed(1)}, p99 ${(best?.p99Ms ?? 0).toFixed(1)}, p99.9 ${(best?.p999Ms ?? 0).toFixed(1)} ms, of which the generator was late ${(best?.lateP999Ms ?? 0).toFixed(1)} ms at p99.9 (its clock has steps of 1 ms); it takes ${(((best?.cpuS ?? 0) / stepSeconds) * 100).toFixed(0)} % of a core.`,
      ],
    };
  } finally {
    await edge.stop();
  }
}

export const OPEN_LOOP_RATE: Ratio = { ids: ['r5'], title: 'Open-loop rate', measure };
