// R12: what a node costs that is not in a hurry: 1,000 admissions a second, and none at all.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../../test/harness/node-process.js';
import { cpuUse, readCpuTimes } from '../cpu-time.js';
import { figure } from '../report.js';
import type { EdgeTarget } from '../targets.js';
import { AMOUNT, type Bench, type Measured, type Ratio, ROUND } from './ratio.js';

const RATE = 1_000;
const TARGET = 0.1;
/** Of the run, before and after what is measured: start of the tool, its first tokens, its checks. */
const LEAD_S = 1.5;
const POLL_MS = 50;
/** Parts of the steady load, for the spread. */
const WINDOWS = 3;
/** The load that is measured must be the load that was meant. */
const RATE_SLACK = 0.1;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How often the kernel has put each thread aside because it had nothing to do. */
function sleeps(pid: number): { readonly main: number; readonly all: number } {
  const read = (thread: string): number => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? Number.NaN);
  };
  const all = readdirSync(`/proc/${pid}/task`).map(read);
  return { main: read(`${pid}`), all: all.reduce((sum, each) => sum + each, 0) };
}

/** A part of the steady load. */
interface Window {
  readonly perSecond: number;
  /** CPU of the edge, of one core; and of its threads. */
  readonly share: number;
  readonly main: number;
  readonly busiest: number;
  readonly rest: number;
}

async function watch(edge: EdgeTarget, forSeconds: number): Promise<Window> {
  const before = { counts: await edge.counts(), cpu: readCpuTimes(edge.pid), ms: performance.now() };
  await sleep(forSeconds * 1_000);
  const { totalS, mainS, busiestS, restS } = cpuUse(edge.pid, before.cpu, readCpuTimes(edge.pid));
  const { admitted } = await edge.counts();
  const seconds = (performance.now() - before.ms) / 1_000;
  const perSecond = (admitted - before.counts.admitted) / seconds;
  const of = (cpuS: number): number => cpuS / seconds;
  return { perSecond, share: of(totalS), main: of(mainS), busiest: of(busiestS), rest: of(restS) };
}

async function measure(bench: Bench): Promise<Measured> {
  const { steadySeconds, restSeconds } = bench.sizes;
  const edge = await bench.edge('steady');
  try {
    await sleep(restSeconds * 1_000);
    const idleBefore = { cpu: readCpuTimes(edge.pid), sleeps: sleeps(edge.pid), ms: performance.now() };
    await sleep(restSeconds * 1_000);
    const idleS = (performance.now() - idleBefore.ms) / 1_000;
    const idleSleeps = sleeps(edge.pid);
    const idle = {
      share: cpuUse(edge.pid, idleBefore.cpu, readCpuTimes(edge.pid)).totalS / idleS,
      mainWakeUpsPerSecond: (idleSleeps.main - idleBefore.sleeps.main) / idleS,
      allWakeUpsPerSecond: (idleSleeps.all - idleBefore.sleeps.all) / idleS,
    };
    bench.log(`R12: ${RATE} a second for ${steadySeconds} s`);
    const duration = Math.ceil(steadySeconds + 2 * LEAD_S);
    const rush = runCommand(
      [
        ...['rush', '--url', edge.url, '--admin-url', edge.adminUrl, '--no-import', '--json'],
        ...['--round', ROUND, '--rate', `${RATE}`, '--duration', `${duration}`],
        ...['--investors', `${RATE * duration}`, '--amount-min', `${AMOUNT}`, '--amount-max', `${AMOUNT}`],
      ],
      { dataDir: join(bench.dir, 'rush') },
    );
    const started = await edge.counts();
    const deadline = performance.now() + 30_000;
    while ((await edge.counts()).admitted === started.admitted && performance.now() < deadline)
      await sleep(POLL_MS);
    await sleep(LEAD_S * 1_000);
    const windows: Window[] = [];
    for (let i = 0; i < WINDOWS; i++) windows.push(await watch(edge, steadySeconds / WINDOWS));
    const { code, stdout, stderr } = await rush;
    if (code !== 0) throw new Error(`openbell rush exited with ${code}\n${stdout}\n${stderr}`);
    for (const { perSecond } of windows)
      if (Math.abs(perSecond / RATE - 1) > RATE_SLACK)
        throw new Error(`${perSecond.toFixed(0)} admissions a second, where ${RATE} were meant`);
    const share = figure(windows.map((window) => window.share));
    return {
      reached: [
        {
          ...{ id: 'R12', what: `CPU at ${RATE} admissions a second, of a core` },
          ...{ value: share.median, low: share.min, high: share.max },
          target: { is: 'at most', value: TARGET },
        },
      ],
      detail: {
        ...{ windows, idle },
        rush: JSON.parse(stdout) as unknown,
      },
      notes: [
        `R12: idle, the edge takes ${(idle.share * 100).toFixed(1)} % of a core; its main thread wakes ${idle.mainWakeUpsPerSecond.toFixed(0)} times a second, all threads ${idle.allWakeUpsPerSecond.toFixed(0)} times.`,
      ],
    };
  } finally {
    await edge.stop();
  }
}

export const STEADY_CPU: Ratio = { ids: ['r12'], title: 'CPU at a steady rate', measure };
