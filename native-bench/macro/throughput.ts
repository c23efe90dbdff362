// `npm run bench`: durable admissions a second of a real edge, beside what the same uWebSockets.js server reaches when it
// reads the same requests and answers a constant. Every request comes from another investor with another token and key.
// The edge runs alone, without a ledger, on an empty data directory, with the settings of production.

import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { TEST_JWT_SECRET } from '../../test/harness/node-process.js';
import { describeMachine } from '../common/machine.js';
import { type Block, compare } from './compare.js';
import { markdown, type Summary, summarize } from './report.js';
import { type RequestFileOptions, record, writeRequestFile } from './request-file.js';
import { probe, startConstant, startEdge } from './targets.js';

export interface ThroughputOptions {
  readonly connections: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
  /** More than the edge admits in a second: how long the request file is. */
  readonly perSecondMax: number;
  /** Where the data directories and the request file are made; a real disk, or the syncs mean nothing. */
  readonly scratch: string;
  readonly log: (line: string) => void;
}

const ROUND = 'bench';
const AMOUNT = 50_000;
const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));

/** Runs every comparison; a fresh edge for each number of connections. */
export async function measureThroughput(
  options: ThroughputOptions,
): Promise<{ summaries: Summary[]; blocks: Record<string, Block[]> }> {
  const dir = await mkdtemp(join(options.scratch, 'openbell-bench-'));
  try {
    const edgeSeconds = options.seconds * (2 * options.rounds + 1);
    const requests: RequestFileOptions = {
      file: join(dir, 'requests'),
      records: edgeSeconds * options.perSecondMax,
      secret: TEST_JWT_SECRET,
      round: ROUND,
      amount: AMOUNT,
      label: 'bench',
    };
    options.log(`writing ${requests.records} requests`);
    const recordBytes = writeRequestFile(requests);
    const summaries: Summary[] = [];
    const blocks: Record<string, Block[]> = {};
    for (const connections of options.connections) {
      const edge = await startEdge(join(dir, `edge-${connections}`), ROUND, AMOUNT);
      try {
        const constant = await startConstant(
          await probe(edge.url, record({ ...requests, label: 'probe' }, connections)),
        );
        try {
          const own = await compare(edge, constant, {
            ...{ connections, recordBytes, records: requests.records, file: requests.file },
            ...{ rounds: options.rounds, seconds: options.seconds },
            onBlock: (target, round) => options.log(`${connections} connections, round ${round}: ${target}`),
          });
          blocks[`${connections}`] = own;
          summaries.push(summarize(connections, own));
        } finally {
          await constant.stop();
        }
      } finally {
        await edge.stop();
      }
    }
    return { summaries, blocks };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function positive(text: string, name: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${name} takes whole numbers above 0, not ${text}`);
  return Number.parseInt(text, 10);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: 'string', default: '64,256,1024' },
      rounds: { type: 'string', default: '4' },
      seconds: { type: 'string', default: '5' },
      'per-second-max': { type: 'string', default: '60000' },
      scratch: { type: 'string', default: tmpdir() },
    },
  });
  const options = {
    connections: values.connections.split(',').map((text) => positive(text, 'connections')),
    rounds: positive(values.rounds, 'rounds'),
    seconds: positive(values.seconds, 'seconds'),
    perSecondMax: positive(values['per-second-max'], 'per-second-max'),
    scratch: values.scratch,
  };
  const machine = describeMachine(options.scratch);
  if (machine.disk === 'tmpfs')
    throw new Error(`${options.scratch} is in memory, where a sync costs nothing: --scratch DIR`);
  const at = new Date().toISOString();
  const { summaries, blocks } = await measureThroughput({ ...options, log: (line) => console.error(line) });
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `throughput-${at.slice(0, 19).replaceAll(':', '')}.json`);
  const { scratch: _, ...settings } = options;
  writeFileSync(file, `${JSON.stringify({ at, machine, settings, summaries, blocks }, null, 1)}\n`);
  console.log(
    `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, ${machine.disk}, commit ${machine.commit}\n`,
  );
  console.log(markdown(summaries));
  console.log(`written to ${file}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
