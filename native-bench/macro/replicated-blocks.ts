// One block of rows into a real Cassandra and what it cost: by an edge under load, over HTTP or over WebSocket, or by
// the plain driver. Each begins when Cassandra has nothing left to do of the one before.

import { readCpuTimes } from './cpu-time.js';
import { runGateway } from './gateway.js';
import { loadBlock } from './load-block.js';
import type { BatchSizes, PlainDriver } from './plain-driver.js';
import { type RequestSet, ROUND } from './ratios/ratio.js';
import type { RequestFileOptions } from './request-file.js';
import type { EdgeTarget } from './targets.js';

const DRAIN_TIMEOUT_MS = 120_000;
const LOOK_MS = 20;
/** Cassandra is quiet when it takes less of a core than this for so long. */
const QUIET_CORES = 0.1;
const QUIET_MS = 1_000;
const QUIET_TIMEOUT_MS = 60_000;
/** Of the rows on their way over WebSocket; a connection of HTTP has one each. */
const GATEWAY_CONNECTIONS = 64;
/** More than an edge acknowledges in a second at this level on any machine that runs all of this at once. */
export const PER_SECOND_MAX = 80_000;

/** How the edge is asked. */
export type Way = 'http' | 'websocket';

export interface Block {
  readonly side: 'edge' | 'plain';
  /** How the edge was asked, or the one whose rows and batches these are. */
  readonly way: Way;
  /** Rows that were acknowledged, and rows a second into both tables while that went on. */
  readonly rows: number;
  readonly perSecond: number;
  /** An edge alone: acknowledged a second while the load went on; over HTTP also the 99th percentile of that. */
  readonly acknowledgedPerSecond?: number;
  readonly p99Ms?: number;
  /** CPU time per row in microseconds: of Cassandra, of who writes (the edge, or this process), of the load generator. */
  readonly cpuUs: { readonly cassandra: number; readonly writer: number; readonly generator: number };
  readonly batches: BatchSizes;
}

/** What one block after another is made with. */
export interface Setting {
  readonly cassandraPid: number;
  readonly edge: EdgeTarget;
  readonly requests: RequestSet;
  /** Of the messages that are sent over WebSocket, without their number and label. */
  readonly messages: Omit<RequestFileOptions, 'records' | 'label'>;
  /** Requests without an answer at a time. */
  readonly inFlight: number;
  readonly seconds: number;
}

interface Load {
  readonly acknowledged: number;
  readonly perSecond: number;
  readonly durationS: number;
  /** When that was over, milliseconds since the epoch. */
  readonly endedAtMs: number;
  readonly cpuS: number;
  readonly p99Ms?: number;
}

export class ReplicatedBlocks {
  readonly #setting: Setting;
  #firstRecord = 0;
  #gateways = 0;

  constructor(setting: Setting) {
    this.#setting = setting;
  }

  async edge(way: Way): Promise<Block> {
    const { cassandraPid, edge } = this.#setting;
    await quiet(cassandraPid);
    const before = await metrics(edge);
    const cpuBefore = cpuOf(cassandraPid, edge.pid);
    const load = way === 'http' ? await this.#http() : await this.#websocket();
    const after = await metrics(edge);
    // Rows went on being written until they were read: that time counts as well.
    const countedS = load.durationS + (Date.now() - load.endedAtMs) / 1_000;
    const replays = after('openbell_replays_total') - before('openbell_replays_total');
    if (replays > 0) throw new Error(`${replays} requests had been sent before`);
    const rows = load.acknowledged;
    const cpu = cpuSince(cpuBefore, cpuOf(cassandraPid, edge.pid), rows);
    // What is behind is written before the next block begins: it is in no rate, only in the size of the batches.
    const settled = await replicated(edge);
    const rowsOf = (table: string): string => `openbell_rows_written_total{table="${table}"}`;
    const written = (table: string): number => after(rowsOf(table)) - before(rowsOf(table));
    const mean = (table: string): number => {
      const batches = `openbell_rows_batches_total{table="${table}"}`;
      return (settled(rowsOf(table)) - before(rowsOf(table))) / (settled(batches) - before(batches));
    };
    return {
      side: 'edge',
      way,
      rows,
      perSecond: (written('by_round') + written('by_investor')) / 2 / countedS,
      acknowledgedPerSecond: load.perSecond,
      ...(load.p99Ms === undefined ? {} : { p99Ms: load.p99Ms }),
      cpuUs: { ...cpu, generator: (load.cpuS * 1e6) / rows },
      batches: { byRound: mean('by_round'), byInvestor: mean('by_investor') },
    };
  }

  /** As many rows as a block of the edge had, in batches of its size. */
  async plain(driver: PlainDriver, way: Way, { rows, batches }: Block): Promise<Block> {
    const { cassandraPid } = this.#setting;
    await quiet(cassandraPid);
    const before = cpuOf(cassandraPid, process.pid);
    const perSecond = await driver.write(rows, batches);
    const cpu = cpuSince(before, cpuOf(cassandraPid, process.pid), rows);
    return { side: 'plain', way, batches, rows, perSecond, cpuUs: { ...cpu, generator: 0 } };
  }

  async #http(): Promise<Load> {
    const { edge, requests, inFlight, seconds } = this.#setting;
    const block = { ...requests, connections: inFlight, seconds, firstRecord: this.#firstRecord };
    const report = await loadBlock(edge, block);
    if (report.refused > 0 || report.ranOut) throw new Error(`${report.refused} were refused`);
    // What was answered, what was in flight at the end, and the one that wrk asks for before it starts.
    this.#firstRecord += report.requests + inFlight + 1;
    const { requests: acknowledged, perSecond, durationUs, cpuS, p99Us } = report;
    const durationS = durationUs / 1e6;
    return { acknowledged, perSecond, durationS, endedAtMs: Date.now(), cpuS, p99Ms: p99Us / 1_000 };
  }

  async #websocket(): Promise<Load> {
    const { edge, inFlight, seconds, messages } = this.#setting;
    const records = seconds * PER_SECOND_MAX;
    const report = await runGateway({
      ...{ port: edge.port, round: ROUND, seconds, messages: records },
      ...{
        connections: GATEWAY_CONNECTIONS,
        inFlight: Math.max(1, Math.round(inFlight / GATEWAY_CONNECTIONS)),
      },
      request: { ...messages, records, label: `gateway${this.#gateways++}` },
    });
    const { created, refused, lost, ranOut, inTime, durationS, endedAtMs, cpuS } = report;
    if (refused > 0 || lost > 0 || ranOut) throw new Error(`${refused} were refused, ${lost} lost`);
    return { acknowledged: created, perSecond: inTime / durationS, durationS, endedAtMs, cpuS };
  }
}

async function metrics(edge: EdgeTarget): Promise<(name: string) => number> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  const values = new Map(
    text.split('\n').map((line) => line.split(/ (?=\S+$)/) as [string, string | undefined]),
  );
  return (name) => Number(values.get(name) ?? Number.NaN);
}

/** Waits until both tables hold what the journal holds, and answers the metrics of then. */
async function replicated(edge: EdgeTarget): Promise<(name: string) => number> {
  const deadline = performance.now() + DRAIN_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const value = await metrics(edge);
    const sequence = value('openbell_journal_sequence');
    if (
      value('openbell_rows_replicated_sequence') === sequence &&
      value('openbell_rows_by_investor_sequence') === sequence
    )
      return value;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`the rows did not arrive within ${DRAIN_TIMEOUT_MS} ms`);
}

/** Waits until Cassandra has done what the block before has left it: no block pays for another. */
async function quiet(cassandraPid: number): Promise<void> {
  const deadline = performance.now() + QUIET_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const before = readCpuTimes(cassandraPid).totalS;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    if (((readCpuTimes(cassandraPid).totalS - before) * 1_000) / QUIET_MS < QUIET_CORES) return;
  }
  throw new Error(`Cassandra was not quiet within ${QUIET_TIMEOUT_MS} ms`);
}

interface Cpu {
  readonly cassandra: number;
  readonly writer: number;
}

const cpuOf = (cassandraPid: number, writerPid: number): Cpu => ({
  cassandra: readCpuTimes(cassandraPid).totalS,
  writer: readCpuTimes(writerPid).totalS,
});

const cpuSince = (before: Cpu, after: Cpu, rows: number): Cpu => ({
  cassandra: ((after.cassandra - before.cassandra) * 1e6) / rows,
  writer: ((after.writer - before.writer) * 1e6) / rows,
});
