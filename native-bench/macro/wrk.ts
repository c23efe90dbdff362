// Runs the load generator once and reads its report.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly file: string;
  readonly recordBytes: number;
  readonly firstRecord: number;
  readonly records: number;
}

export interface WrkReport {
  readonly requests: number;
  readonly durationUs: number;
  /** Answers with a status of 400 or more. */
  readonly refused: number;
  /** Connections, reads, writes that failed, and timeouts. */
  readonly failed: number;
  /** True when the file had too few records, so that some went out twice. */
  readonly ranOut: boolean;
  /** CPU seconds of the generator. */
  readonly cpuS: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

// Lua is not compiled, so it is read from the sources.
const SCRIPT = fileURLToPath(new URL('../../../native-bench/macro/requests.lua', import.meta.url));
const GRACE_S = 20;

/** One thread: on two cores a second one would take from the server. Requests are never pipelined. */
export async function runWrk(options: WrkOptions): Promise<WrkReport> {
  const { connections, seconds, url, file, recordBytes, firstRecord, records } = options;
  const args = [
    '-t',
    '1',
    '-c',
    `${connections}`,
    '-d',
    `${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    SCRIPT,
    url,
    '--',
  ];
  const child = spawn('wrk', [...args, file, `${recordBytes}`, `${firstRecord}`, `${records}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: (seconds + GRACE_S) * 1_000,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const line = output.split('\n').find((text) => text.startsWith('{"requests"'));
  if (code !== 0 || line === undefined) throw new Error(`wrk exited with ${code}:\n${output}`);
  return JSON.parse(line) as WrkReport;
}
