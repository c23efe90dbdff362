// Runs the open-loop generator once and reads its report.

import { fileURLToPath } from 'node:url';
import { runGenerator } from './generator-process.js';

export interface OpenLoopOptions {
  readonly port: number;
  readonly file: string;
  readonly recordBytes: number;
  readonly firstRecord: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface OpenLoopReport {
  readonly planned: number;
  readonly created: number;
  readonly refused: number;
  /** Connections that were lost. */
  readonly failed: number;
  readonly unanswered: number;
  /** From the planned time of each request. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** Of the sending behind the plan: because no connection was free, or the generator was late itself. */
  readonly lateP999Ms: number;
  /** Seconds of the generator. */
  readonly cpuS: number;
}

const PREPARE_S = 60;

export function runOpenLoop(options: OpenLoopOptions): Promise<OpenLoopReport> {
  const file = fileURLToPath(new URL('open-loop-generator.js', import.meta.url));
  return runGenerator<OpenLoopReport>(file, options, options.seconds + PREPARE_S);
}
