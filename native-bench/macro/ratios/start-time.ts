// R10: from start to ready, with a long journal, after a clean stop and after kill -9 in the rush.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type EdgeProcess, startEdgeProcess } from '../../../test/harness/node-process.js';
import { freePorts } from '../../../test/harness/ports.js';
import { loadBlock } from '../load-block.js';
import { median } from '../report.js';
import { EDGE_ENV, type EdgeTarget, edgeTarget } from '../targets.js';
import type { Bench, Measured, Ratio, Reached } from './ratio.js';

const CLEAN_TARGET = 10;
const KILLED_TARGET = 20;
const STARTS = 3;
const NODE_STARTS = 7;
const READY_TIMEOUT_MS = 120_000;
const POLL_MS = 3;

/** Milliseconds of `node -e 0`. */
function nodeStartMs(): number {
  const times = Array.from({ length: NODE_STARTS }, () => {
    const startMs = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    return performance.now() - startMs;
  });
  return median(times);
}

async function timedStart(dataDir: string): Promise<{ edge: EdgeProcess; readyMs: number }> {
  const ports = await freePorts(2);
  const startMs = performance.now();
  const edge = await startEdgeProcess({ dataDir, ports, env: EDGE_ENV, waitReady: false });
  while (performance.now() - startMs < READY_TIMEOUT_MS && !edge.hasExited()) {
    const answer = await fetch(`${edge.adminUrl}/readyz`).catch(() => null);
    if (answer?.status === 200) return { edge, readyMs: performance.now() - startMs };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await edge.kill();
  throw new Error(`not ready\n${edge.stderr()}`);
}

/** Admits without a pause until the journal has its rows, and kills the node while more come. */
async function killInRush(bench: Bench, edge: EdgeTarget): Promise<number> {
  const requests = bench.requests();
  const { journalRows: rows, loadConnections } = bench.sizes;
  let nextRecord = 0;
  let admitted = 0;
  let perSecond = 0;
  do {
    const seconds = 1;
    const firstRecord = nextRecord;
    const block = await loadBlock(edge, { ...requests, connections: loadConnections, seconds, firstRecord });
    if (block.refused > 0 || block.ranOut) throw new Error(`${block.refused} requests were refused`);
    nextRecord += block.requests + loadConnections + 1;
    admitted += block.requests;
    perSecond = block.perSecond;
  } while (admitted + perSecond / 2 < rows);
  // The load goes on, and fails, when the node is gone.
  const last = loadBlock(edge, {
    ...requests,
    connections: loadConnections,
    seconds: 2,
    firstRecord: nextRecord,
  });
  const ended = last.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const { lag } = await edge.counts();
  await edge.kill();
  await ended;
  return lag;
}

async function measure(bench: Bench): Promise<Measured> {
  const nodeMs = nodeStartMs();
  const killed: number[] = [];
  const clean: number[] = [];
  const lags: number[] = [];
  const start = async (dataDir: string, times: number[]): Promise<EdgeTarget> => {
    const { edge, readyMs } = await timedStart(dataDir);
    bench.log(`R10: ready after ${readyMs.toFixed(0)} ms`);
    times.push(readyMs);
    return edgeTarget(edge);
  };
  for (let run = 0; run < Math.min(2, bench.sizes.rounds); run++) {
    const name = `start-${run}`;
    const dataDir = join(bench.dir, name);
    const filled = await bench.edge(name);
    bench.log(`R10: ${bench.sizes.journalRows} rows, then kill -9`);
    lags.push(await killInRush(bench, filled));
    let edge = await start(dataDir, killed);
    await edge.caughtUp();
    for (let again = 0; again < Math.min(STARTS, bench.sizes.rounds); again++) {
      await edge.stop();
      edge = await start(dataDir, clean);
    }
    await edge.stop();
  }
  const line = (what: string, target: number, times: readonly number[]): Reached => ({
    ...{ id: 'R10', what: `start ${what} ÷ node -e 0`, value: median(times) / nodeMs },
    ...{ low: Math.min(...times) / nodeMs, high: Math.max(...times) / nodeMs },
    target: { is: 'at most', value: target },
  });
  return {
    reached: [line('after a clean stop', CLEAN_TARGET, clean), line('after kill -9', KILLED_TARGET, killed)],
    detail: { nodeMs, clean, killed, lags, rows: bench.sizes.journalRows },
    notes: [
      `R10: node -e 0 takes ${nodeMs.toFixed(0)} ms; ${lags.join(' and ')} rows were not in the index when the node was killed.`,
    ],
  };
}

export const START_TIME: Ratio = { ids: ['r10'], title: 'Start with a long journal', measure };
