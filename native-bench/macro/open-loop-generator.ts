// Requests at times that were planned before, on many connections, each with one in flight. A latency counts from the planned
// time, so a server that stalls cannot hide it by holding the generator back.
// Run as `node open-loop-generator.js '<OpenLoopOptions as JSON>'`; prints an OpenLoopReport as one line of JSON.

import { once } from 'node:events';
import { openSync, readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { build } from 'hdr-histogram-js';
import type { OpenLoopOptions, OpenLoopReport } from './open-loop.js';

const options = JSON.parse(process.argv[2] ?? '{}') as OpenLoopOptions;
const { port, file, recordBytes, firstRecord, rate, seconds, connections } = options;
const total = Math.floor(rate * seconds);
const DRAIN_MS = 5_000;
/** Requests that fall due within it leave together: a generator that never slept would be put aside by the kernel. */
const TURN_MS = 1;
const READ_BYTES = 16_384;
const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = Buffer.from('ontent-Length: ');
const LENGTH_LOWER = Buffer.from('ontent-length: ');

const requests = Buffer.allocUnsafe(total * recordBytes);
const fd = openSync(file, 'r');
const CHUNK_BYTES = 67_108_864;
for (let at = 0; at < requests.length; ) {
  const wanted = Math.min(CHUNK_BYTES, requests.length - at);
  const got = readSync(fd, requests, at, wanted, firstRecord * recordBytes + at);
  if (got === 0) throw new Error('the request file is too short');
  at += got;
}

/** Microseconds, to 1 %. */
const histogram = (): ReturnType<typeof build> =>
  build({ lowestDiscernibleValue: 1, highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 });
const latencies = histogram();
const lateness = histogram();
const record = (into: typeof latencies, ms: number): void =>
  into.recordValue(Math.max(1, Math.round(ms * 1_000)));

let created = 0;
let refused = 0;
let failed = 0;
let isOver = false;
let startMs = 0;
let next = 0;
const free: Connection[] = [];

class Connection {
  readonly #socket: Socket;
  #plannedMs = 0;
  #held: Buffer | null = null;
  #isBusy = false;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (bytes: number): boolean => {
      this.#read(buffer.subarray(0, bytes));
      return true;
    };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread: { buffer, callback } });
    const onLost = (): void => {
      if (!isOver || this.#isBusy) failed++;
      this.#isBusy = false;
    };
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', onLost);
  }

  connected(): Promise<unknown> {
    return once(this.#socket, 'connect');
  }

  send(index: number, plannedMs: number): void {
    this.#plannedMs = plannedMs;
    this.#isBusy = true;
    this.#socket.write(requests.subarray(index * recordBytes, (index + 1) * recordBytes));
  }

  #read(chunk: Buffer): void {
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    const head = bytes.indexOf(HEAD_END);
    let isWhole = false;
    if (head >= 0) {
      const at = Math.max(bytes.indexOf(LENGTH), bytes.indexOf(LENGTH_LOWER));
      const length =
        at < 0 ? 0 : Number.parseInt(bytes.latin1Slice(at + LENGTH.length, at + LENGTH.length + 6), 10);
      isWhole = bytes.length >= head + HEAD_END.length + length;
    }
    if (!isWhole) {
      this.#held = Buffer.from(bytes);
      return;
    }
    this.#held = null;
    this.#isBusy = false;
    record(latencies, performance.now() - this.#plannedMs);
    if (bytes.latin1Slice(9, 12) === '201') created++;
    else refused++;
    free.push(this);
    pump();
  }
}

const all = Array.from({ length: connections }, () => new Connection());
await Promise.all(all.map((connection) => connection.connected()));
free.push(...all);
const cpuBefore = process.cpuUsage();
startMs = performance.now();

/** Sends what is due, as far as connections are free; what is not sent keeps its planned time. */
function pump(): void {
  const nowMs = performance.now();
  while (next < total) {
    const plannedMs = startMs + (next * 1_000) / rate;
    if (plannedMs > nowMs) return;
    const connection = free.pop();
    if (connection === undefined) return;
    record(lateness, nowMs - plannedMs);
    connection.send(next++, plannedMs);
  }
}

await new Promise<void>((resolve) => {
  const turn = (): void => {
    pump();
    const isLate = performance.now() > startMs + seconds * 1_000 + DRAIN_MS;
    if (created + refused + failed >= total || isLate) resolve();
    else setTimeout(turn, TURN_MS);
  };
  turn();
});
isOver = true;
const cpu = process.cpuUsage(cpuBefore);
const ms = (from: typeof latencies, percentile: number): number =>
  from.getValueAtPercentile(percentile) / 1_000;
const report: OpenLoopReport = {
  planned: total,
  ...{ created, refused, failed, unanswered: total - created - refused },
  ...{ p50Ms: ms(latencies, 50), p99Ms: ms(latencies, 99), p999Ms: ms(latencies, 99.9) },
  lateP999Ms: ms(lateness, 99.9),
  cpuS: (cpu.user + cpu.system) / 1e6,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
