// `npm run bench:replicated -- [--rounds N] [--seconds N] [--in-flight N] [--warm-rows N] [--scratch DIR] [--out DIR]`:
// admissions a second at acknowledgement `replicated`, over WebSocket and over HTTP, beside what the plain driver writes
// of the same rows in the same batches, in the same run and to and fro. Prints a table and writes JSON. Needs `wrk` and a
// Cassandra that deploy/engines has installed.
//
// Cassandra has a core of its own, as it has a machine of its own in production; edge, load generator and plain driver
// share the others. Where they all compete for the same cores the ratio is one of what else runs there. It is warmed
// first, because for its first minute it compiles more than it writes, and it does not compact: whose rows happen to be
// compacted in whose block would be chance.
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
import { cql } from '../../test/harness/cql.js';
import { describeMachine } from '../common/machine.js';
import { requestOptions } from './bench-context.js';
import { type BatchSizes, PlainDriver } from './plain-driver.js';
import { AMOUNT, type RequestSet, ROUND } from './ratios/ratio.js';
import { type Block, PER_SECOND_MAX, ReplicatedBlocks, type Way } from './replicated-blocks.js';
import { median } from './report.js';
import { writeRequestFile } from './request-file.js';
import { startEdge } from './targets.js';

const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));
const KEYSPACE = 'bench';
const TABLES = ['rows_by_round', 'rows_by_investor'];
const TARGET = 0.8;
const WARM_BLOCK_ROWS = 80_000;
const WARM_BATCHES: BatchSizes = { byRound: 120, byInvestor: 90 };
const CQL_TIMEOUT_MS = 30_000;
const WAYS: readonly Way[] = ['websocket', 'http'];

/** All threads of a process, those it will have, and its children, on these cores. */
function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['-acp', cores, `${pid}`], { stdio: 'ignore' });
}

interface Sizes {
  readonly rounds: number;
  readonly seconds: number;
  readonly inFlight: number;
  readonly warmRows: number;
}

/** The tables, without compaction. */
async function prepareTables(cassandra: Cassandra, options: CassandraOptions): Promise<void> {
  const made = await migrate({
    cassandra: options,
    replication: { [cassandra.localDataCenter]: 1 },
    dryRun: false,
    by: 'bench',
  });
  if (!made.ok) throw new Error(made.error.message);
  const still = `compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}`;
  const statements = TABLES.map((table) => `ALTER TABLE ${KEYSPACE}.${table} WITH ${still}`);
  await cql(cassandra.endpoint, statements, CQL_TIMEOUT_MS);
}

/** The requests over HTTP of all blocks. */
function writeRequests(dir: string, sizes: Sizes): RequestSet {
  const options = requestOptions(dir);
  const blocks = 2 * sizes.rounds + 1;
  const records = blocks * (PER_SECOND_MAX * sizes.seconds + sizes.inFlight + 1);
  return { file: options.file, records, recordBytes: writeRequestFile({ ...options, records }) };
}

/** Blocks to and fro for each way: edge, plain, plain, edge; after one of each way that warms. */
async function measure(
  cassandra: Cassandra,
  dir: string,
  sizes: Sizes,
  log: (line: string) => void,
): Promise<Block[]> {
  const options: CassandraOptions = {
    contactPoints: [cassandra.contactPoint],
    datacenter: cassandra.localDataCenter,
    keyspace: KEYSPACE,
    tls: null,
    credentials: null,
  };
  await prepareTables(cassandra, options);
  log('writing the requests');
  const requests = writeRequests(dir, sizes);
  const edge = await startEdge(join(dir, 'edge'), ROUND, AMOUNT, {
    env: {
      OPENBELL_ACK: 'replicated',
      OPENBELL_CASSANDRA: cassandra.contactPoint,
      OPENBELL_CASSANDRA_KEYSPACE: KEYSPACE,
    },
  });
  const driver = new PlainDriver(options);
  const blocks = new ReplicatedBlocks({
    ...{ cassandraPid: cassandra.pid, edge, requests, messages: requestOptions(dir) },
    ...{ inFlight: sizes.inFlight, seconds: sizes.seconds },
  });
  try {
    log(`warming Cassandra with ${sizes.warmRows} rows`);
    for (let left = sizes.warmRows; left > 0; left -= WARM_BLOCK_ROWS)
      await driver.write(Math.min(left, WARM_BLOCK_ROWS), WARM_BATCHES);
    const all: Block[] = [];
    for (const way of WAYS) told(await blocks.edge(way), log);
    for (let round = 0; round < sizes.rounds; round++) {
      for (const way of WAYS) {
        const first = told(await blocks.edge(way), log);
        all.push(first);
        for (const _ of [1, 2]) all.push(told(await blocks.plain(driver, way, first), log));
        all.push(told(await blocks.edge(way), log));
      }
    }
    return all;
  } finally {
    await driver.close();
    await edge.stop();
  }
}

function told(block: Block, log: (line: string) => void): Block {
  const { cassandra, writer, generator } = block.cpuUs;
  const cpu = [cassandra, writer, generator].map((us) => us.toFixed(0)).join(', ');
  const side = block.side === 'plain' ? `plain, as over ${block.way}` : block.way;
  log(
    `${side}: ${Math.round(block.perSecond)} rows/s in batches of ${block.batches.byRound.toFixed(1)}; CPU µs a row of Cassandra, writer, generator: ${cpu}`,
  );
  return block;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    // About as many rows on their way as the plain driver has in its batches.
    'in-flight': { type: 'string', default: '4096' },
    'warm-rows': { type: 'string', default: '800000' },
    out: { type: 'string', default: RESULTS },
    scratch: { type: 'string', default: tmpdir() },
  },
});
const sizes: Sizes = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  inFlight: Number(values['in-flight']),
  warmRows: Number(values['warm-rows']),
};
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const dir = await mkdtemp(join(values.scratch, 'openbell-replicated-'));
const machine = describeMachine(dir);
const cassandra = await startCassandra();
pin(cassandra.pid, '0');
if (availableParallelism() > 1) pin(process.pid, `1-${availableParallelism() - 1}`);
try {
  const blocks = await measure(cassandra, dir, sizes, log);
  const ways = WAYS.map((way) => {
    const of = (side: Block['side'], value: (block: Block) => number | undefined): number =>
      median(blocks.filter((one) => one.way === way && one.side === side).flatMap((one) => value(one) ?? []));
    const rows = of('edge', (block) => block.perSecond);
    const plain = of('plain', (block) => block.perSecond);
    return {
      ...{ way, rows, plain, ratio: rows / plain },
      acknowledged: of('edge', (block) => block.acknowledgedPerSecond),
      cassandraCores: of('edge', ({ cpuUs, acknowledgedPerSecond }) =>
        acknowledgedPerSecond === undefined ? undefined : (cpuUs.cassandra * acknowledgedPerSecond) / 1e6,
      ),
    };
  });
  const at = new Date().toISOString();
  mkdirSync(values.out, { recursive: true });
  const out = join(values.out, `replicated-${at.slice(0, 19).replaceAll(':', '')}.json`);
  const result = { sizes, ways, target: TARGET, blocks };
  writeFileSync(out, `${JSON.stringify({ at, machine, ...result }, null, 2)}\n`);
  const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  process.stdout.write(
    [
      row('at acknowledgement `replicated`', 'WebSocket', 'HTTP'),
      '|---|---|---|',
      row('acknowledged a second', ...ways.map(({ acknowledged }) => acknowledged.toFixed(0))),
      row('rows a second into both tables meanwhile', ...ways.map((way) => way.rows.toFixed(0))),
      row(
        'cores that Cassandra took, of the one it has',
        ...ways.map((way) => way.cassandraCores.toFixed(2)),
      ),
      row('rows a second of the plain driver, same batches', ...ways.map(({ plain }) => plain.toFixed(0))),
      row(`ratio (target ≥ ${TARGET})`, ...ways.map(({ ratio }) => ratio.toFixed(2))),
      '',
    ].join('\n'),
  );
  log(out);
} finally {
  await cassandra.remove();
  await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}
