// What a micro suite is, and how one is run: tinybench measures, a case that throws ends everything.

import { Bench } from 'tinybench';
import { must } from '../../src/core/assert.js';

/** One thing that is measured. */
export interface Case {
  readonly name: string;
  /** Operations in one call of `run`; the figures are of one of them. */
  readonly operations: number;
  /** Set where `run` answers with a promise; found out by a trial call otherwise, which nobody would wait for. */
  readonly async?: true;
  /** Done before each call of `run`, outside the measurement. */
  readonly before?: () => void;
  /** Does the work. A number is the milliseconds that it took by its own clock, in place of the time of the call. */
  readonly run: () => number | undefined | Promise<number | undefined>;
}

/** Cases that are ready to run, and what they hold open. */
export interface PreparedSuite {
  readonly cases: readonly Case[];
  readonly close?: () => Promise<void> | void;
}

export interface World {
  /** A directory on a real disk that is the suite's alone. */
  readonly dir: string;
  /** The size of a workload: `full` in a measurement, `smoke` where only that it works is asked. */
  readonly size: (full: number, smoke: number) => number;
}

/** A subject with its cases. */
export interface Suite {
  /** In kebab-case; chosen by it on the command line. */
  readonly name: string;
  /** One line: what one operation is. */
  readonly about: string;
  /** Set where figures mean something on a real disk alone. */
  readonly syncs?: true;
  readonly prepare: (world: World) => PreparedSuite | Promise<PreparedSuite>;
}

/** How long each case is measured. */
export interface Effort {
  /** Milliseconds of samples, at least. */
  readonly timeMs: number;
  /** Samples, at least. */
  readonly samples: number;
  /** Milliseconds before, so that the compiler has done its part. */
  readonly warmUpMs: number;
}

/** Enough to see that a case works, and nothing about how fast. */
export const SMOKE: Effort = { timeMs: 0, samples: 3, warmUpMs: 0 };

/** Microseconds of one operation. A sample is the mean of one call's operations, so the percentiles are of such means. */
export interface CaseResult {
  readonly name: string;
  readonly operations: number;
  readonly samples: number;
  readonly latencyUs: {
    readonly p50: number;
    readonly p75: number;
    readonly p99: number;
    readonly p999: number;
    readonly mean: number;
    readonly min: number;
    /** Median absolute deviation from the median. */
    readonly mad: number;
  };
  /** Relative margin of error of the mean, in percent, at 95 %. */
  readonly rmePercent: number;
  /** Operations a second, by the median. */
  readonly perSecond: number;
}

export interface SuiteResult {
  readonly name: string;
  readonly about: string;
  readonly cases: readonly CaseResult[];
}

/**
 * Runs every case of a suite, one after the other.
 * @throws what a case throws, with the name of the case in front
 */
export async function runSuite(suite: Suite, world: World, effort: Effort): Promise<SuiteResult> {
  const { cases, close } = await suite.prepare(world);
  try {
    const results: CaseResult[] = [];
    for (const each of cases) results.push(await runCase(suite.name, each, effort));
    return { name: suite.name, about: suite.about, cases: results };
  } finally {
    await close?.();
  }
}

async function runCase(suiteName: string, one: Case, effort: Effort): Promise<CaseResult> {
  const bench = new Bench({
    time: effort.timeMs,
    iterations: effort.samples,
    warmup: effort.warmUpMs > 0,
    warmupTime: effort.warmUpMs,
    retainSamples: false,
    throws: true,
  });
  const { before } = one;
  const sample = (startedMs: number, ownMs: number | undefined) => {
    const tookMs = performance.now() - startedMs;
    return { overriddenDuration: (ownMs ?? tookMs) / one.operations, overriddenIterationCost: tookMs };
  };
  const work = () => {
    const startedMs = performance.now();
    const own = one.run();
    if (!(own instanceof Promise)) return sample(startedMs, own);
    return own.then((ownMs) => sample(startedMs, ownMs));
  };
  const hooks = before === undefined ? {} : { beforeEach: before };
  bench.add(one.name, work, { ...hooks, async: one.async === true });
  try {
    await bench.run();
  } catch (error) {
    throw new Error(`${suiteName}, ${one.name}: ${String(error)}`, { cause: error });
  }
  const { result } = must(bench.tasks[0], 'the task that was added');
  if (result.state !== 'completed') throw new Error(`${suiteName}, ${one.name}: ended as ${result.state}`);
  const { latency } = result;
  const us = (ms: number): number => Number((ms * 1e3).toPrecision(5));
  return {
    name: one.name,
    operations: one.operations,
    samples: latency.samplesCount,
    latencyUs: {
      ...{ p50: us(latency.p50), p75: us(latency.p75), p99: us(latency.p99), p999: us(latency.p999) },
      ...{ mean: us(latency.mean), min: us(latency.min), mad: us(latency.mad) },
    },
    rmePercent: Number(latency.rme.toPrecision(3)),
    perSecond: Math.round(1e3 / latency.p50),
  };
}
