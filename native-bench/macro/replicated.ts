// `npm run bench:replicated -- [--rounds N] [--seconds N] [--connections N] [--scratch DIR] [--out DIR]`: admissions a
// second at acknowledgement `replicated`, beside what the plain driver writes of the same rows in the same batches, in the
// same run and to and fro. Prints a table and writes JSON. Needs `wrk` and a Cassandra that deploy/engines has installed.
//
// Cassandra has a core of its own, as it has a machine of its own in production; edge, load generator and plain driver
// share the others. Where they all compete for the same cores the ratio is one of what else runs there.
//
// The edge acknowledges when a row is in the table by round, and writes the view by investor behind: its rate is that of
// both tables while the load goes on, and what is left then is written before the other side begins. The plain driver
// writes both tables too.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { migrate } from '../../src/engines/cassandra/migrate.js';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { type Cassandra, startCassandra } from '../../test/harness/cassandra.js';
import { describeMachine } from '../common/machine.js';
import { requestOptions } from './bench-context.js';
import { readCpuTimes } from './cpu-time.js';
import { loadBlock, toAndFro } from './load-block.js';
import { type BatchSizes, PlainDriver } from './plain-driver.js';
import { AMOUNT, ROUND } from './ratios/ratio.js';
import { writeRequestFile } from './request-file.js';
import { type EdgeTarget, startEdge } from './targets.js';

const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));
const KEYSPACE = 'bench';
const TARGET = 0.8;
/** More than an edge acknowledges in a second at this level on any machine that runs all of this at once. */
const PER_SECOND_MAX = 60_000;
const DRAIN_TIMEOUT_MS = 120_000;
const LOOK_MS = 20;

interface Block {
  readonly side: 'edge' | 'plain';
  /** Rows that were acknowledged, and rows a second into both tables while that went on. */
  readonly rows: number;
  readonly perSecond: number;
  /** The edge alone: acknowledged a second while the load went on, and the 99th percentile of that. */
  readonly acknowledgedPerSecond?: number;
  readonly p99Ms?: number;
  /** CPU time per row in microseconds: of Cassandra, of who writes (the edge, or this process), of the load generator. */
  readonly cpuUs: { readonly cassandra: number; readonly writer: number; readonly generator: number };
  readonly batches: BatchSizes;
}

/** All threads of a process, those it will have, and its children, on these cores. */
function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['-acp', cores, `${pid}`], { stdio: 'ignore' });
}

async function metrics(edge: EdgeTarget): Promise<(name: string) => number> {
  const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  const values = new Map(
    text.split('\n').map((line) => line.split(/ (?=\S+$)/) as [string, string | undefined]),
  );
  return (name) => Number(values.get(name) ?? Number.NaN);
}

/** Waits until both tables hold what the journal holds. */
async function replicated(edge: EdgeTarget): Promise<void> {
  const deadline = performance.now() + DRAIN_TIMEOUT_MS;
  while (performance.now() < deadline) {
    const value = await metrics(edge);
    const sequence = value('openbell_journal_sequence');
    if (
      value('openbell_rows_replicated_sequence') === sequence &&
      value('openbell_rows_by_investor_sequence') === sequence
    )
      return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw new Error(`the rows did not arrive within ${DRAIN_TIMEOUT_MS} ms`);
}

interface Load {
  readonly cassandraPid: number;
  readonly edge: EdgeTarget;
  readonly requests: { readonly file: string; readonly records: number; readonly recordBytes: number };
  readonly connections: number;
  readonly seconds: number;
  firstRecord: number;
}

async function edgeBlock(load: Load): Promise<Block> {
  const { edge, requests, connections, seconds } = load;
  const before = await metrics(edge);
  const cpuBefore = cpuOf(load.cassandraPid, edge.pid);
  const report = await loadBlock(edge, { ...requests, connections, seconds, firstRecord: load.firstRecord });
  const after = await metrics(edge);
  if (report.refused > 0 || report.ranOut) throw new Error(`${report.refused} were refused`);
  load.firstRecord += report.requests;
  const cpu = cpuSince(cpuBefore, cpuOf(load.cassandraPid, edge.pid), report.requests);
  // What is behind is written before the other side begins: it is in no rate, only in the size of the batches.
  await replicated(edge);
  const settled = await metrics(edge);
  const rowsOf = (table: string): string => `openbell_rows_written_total{table="${table}"}`;
  const written = (table: string): number => after(rowsOf(table)) - before(rowsOf(table));
  const mean = (table: string): number => {
    const batches = `openbell_rows_batches_total{table="${table}"}`;
    return (settled(rowsOf(table)) - before(rowsOf(table))) / (settled(batches) - before(batches));
  };
  return {
    side: 'edge',
    rows: report.requests,
    perSecond: ((written('by_round') + written('by_investor')) / 2 / report.durationUs) * 1e6,
    acknowledgedPerSecond: report.perSecond,
    p99Ms: report.p99Us / 1_000,
    cpuUs: { ...cpu, generator: (report.cpuS * 1e6) / report.requests },
    batches: { byRound: mean('by_round'), byInvestor: mean('by_investor') },
  };
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

async function plainBlock(
  plain: PlainDriver,
  cassandraPid: number,
  { rows, batches }: Pick<Block, 'rows' | 'batches'>,
): Promise<Block> {
  const before = cpuOf(cassandraPid, process.pid);
  const perSecond = await plain.write(rows, batches);
  const cpu = cpuSince(before, cpuOf(cassandraPid, process.pid), rows);
  return { side: 'plain', batches, rows, perSecond, cpuUs: { ...cpu, generator: 0 } };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

interface Sizes {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
}

/** Blocks to and fro, after one of the edge that warms it and tells how large its batches are. */
async function measure(
  cassandra: Cassandra,
  dir: string,
  sizes: Sizes,
  log: (line: string) => void,
): Promise<Block[]> {
  const { rounds, seconds, connections } = sizes;
  const options: CassandraOptions = {
    contactPoints: [cassandra.contactPoint],
    datacenter: cassandra.localDataCenter,
    keyspace: KEYSPACE,
    tls: null,
    credentials: null,
  };
  const made = await migrate({
    cassandra: options,
    replication: { [cassandra.localDataCenter]: 1 },
    dryRun: false,
    by: 'bench',
  });
  if (!made.ok) throw new Error(made.error.message);
  const file = requestOptions(dir);
  const records = PER_SECOND_MAX * seconds * (2 * rounds + 1);
  log(`writing ${records} requests`);
  const recordBytes = writeRequestFile({ ...file, records });
  const edge = await startEdge(join(dir, 'edge'), ROUND, AMOUNT, {
    env: {
      OPENBELL_ACK: 'replicated',
      OPENBELL_CASSANDRA: cassandra.contactPoint,
      OPENBELL_CASSANDRA_KEYSPACE: KEYSPACE,
    },
  });
  const plain = new PlainDriver(options);
  try {
    const load: Load = {
      cassandraPid: cassandra.pid,
      edge,
      requests: { file: file.file, records, recordBytes },
      connections,
      seconds,
      firstRecord: 0,
    };
    let { batches, rows } = await edgeBlock(load);
    const told = (block: Block): Block => {
      const { cassandra: server, writer, generator } = block.cpuUs;
      const cpu = [server, writer, generator].map((us) => us.toFixed(0)).join(', ');
      log(
        `${block.side}: ${Math.round(block.perSecond)} rows/s in batches of ${block.batches.byRound.toFixed(1)}; CPU µs a row of Cassandra, writer, generator: ${cpu}`,
      );
      return block;
    };
    const pairs = await toAndFro(
      rounds,
      async () => {
        const block = told(await edgeBlock(load));
        ({ batches, rows } = block);
        return block;
      },
      async () => told(await plainBlock(plain, cassandra.pid, { rows, batches })),
    );
    return pairs.flatMap(({ a, b }) => [...a, ...b]);
  } finally {
    await plain.close();
    await edge.stop();
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    // About as many rows on their way as the plain driver has in its batches.
    connections: { type: 'string', default: '4096' },
    out: { type: 'string', default: RESULTS },
    scratch: { type: 'string', default: tmpdir() },
  },
});
const sizes: Sizes = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  connections: Number(values.connections),
};
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const dir = await mkdtemp(join(values.scratch, 'openbell-replicated-'));
const cassandra = await startCassandra();
pin(cassandra.pid, '0');
if (availableParallelism() > 1) pin(process.pid, `1-${availableParallelism() - 1}`);
try {
  const blocks = await measure(cassandra, dir, sizes, log);
  const of = (side: Block['side']): number[] =>
    blocks.filter((block) => block.side === side).map(({ perSecond }) => perSecond);
  const [ours, plain] = [median(of('edge')), median(of('plain'))];
  const acknowledged = median(blocks.flatMap(({ acknowledgedPerSecond }) => acknowledgedPerSecond ?? []));
  const result = { sizes, acknowledged, edge: ours, plain, ratio: ours / plain, target: TARGET, blocks };
  const at = new Date().toISOString();
  mkdirSync(values.out, { recursive: true });
  const out = join(values.out, `replicated-${at.slice(0, 19).replaceAll(':', '')}.json`);
  writeFileSync(out, `${JSON.stringify({ at, machine: describeMachine(dir), ...result }, null, 2)}\n`);
  process.stdout.write(
    [
      '| at acknowledgement `replicated` | |',
      '|---|---|',
      `| acknowledged a second | ${Math.round(acknowledged)} |`,
      `| rows a second into both tables meanwhile | ${Math.round(ours)} |`,
      `| rows a second of the plain driver, same batches | ${Math.round(plain)} |`,
      `| ratio (target ≥ ${TARGET}) | ${(ours / plain).toFixed(2)} |`,
      '',
    ].join('\n'),
  );
  log(out);
} finally {
  await cassandra.remove();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}
