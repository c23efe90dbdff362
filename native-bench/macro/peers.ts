// `npm run bench:peers`: openbell beside servers that keep the same contract, each as its own community would build it.
// All of them run at once, on directories of their own, and are loaded in turns; each is first shown to sync before it
// answers, and last to come back from a crash with what it answered.

import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { must } from '../../src/core/assert.js';
import { TEST_JWT_SECRET } from '../../test/harness/node-process.js';
import { describeMachine } from '../common/machine.js';
import { writeRun } from './bench-report.js';
import { isPoor, type MixedFileOptions, mixedInvestors, recordAt, writeMixedFile } from './mixed-requests.js';
import { type Answered, comparePeers, type PeerBlock } from './peer-compare.js';
import { type PeerRow, peersMarkdown, peersReached, summarizePeers } from './peer-report.js';
import { type Balance, type PeerTarget, startTargets } from './peer-targets.js';
import { record, recordInvestor } from './request-file.js';
import { checkSyncs } from './sync-check.js';
import { post } from './targets.js';

export interface PeersOptions {
  /** Names of peers; all when empty. */
  readonly peers: readonly string[];
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  /** More than any server answers in a second: how long the request file is. */
  readonly perSecondMax: number;
  /** Where directories and the request file are made; a real disk, or the syncs mean nothing. */
  readonly scratch: string;
  readonly log: (line: string) => void;
}

export interface PeersResult {
  readonly rows: readonly PeerRow[];
  readonly blocks: readonly PeerBlock[];
  readonly missing: readonly string[];
}

const AMOUNT = 50_000;
const ROUND = { id: 'bench', currency: 'GBP', cap: 9e15, minimum: AMOUNT, maximum: AMOUNT };
/** The requests of the check that each server syncs. */
const SYNC_LABEL = 'sync';
const SYNC_REQUESTS = 9;
/** Answers of each server that are asked for again after its crash. */
const SAMPLES = 200;
const RESULTS = fileURLToPath(new URL('../../../native-bench/results', import.meta.url));

/** Runs the comparison. Throws when a server is not durable, or a figure would not be one. */
export async function measurePeers(options: PeersOptions): Promise<PeersResult> {
  const dir = await mkdtemp(join(options.scratch, 'openbell-peers-'));
  try {
    const requests: MixedFileOptions = {
      file: join(dir, 'requests'),
      records: options.seconds * (options.rounds + 1) * options.perSecondMax,
      secret: TEST_JWT_SECRET,
      round: ROUND.id,
      amount: AMOUNT,
      label: 'peer',
    };
    options.log(`writing ${requests.records} requests`);
    const recordBytes = writeMixedFile(requests);
    const { targets, missing } = await startTargets(
      dir,
      ROUND,
      () => balances(requests),
      options.peers,
      options.log,
    );
    try {
      const syncs = Array.from({ length: SYNC_REQUESTS }, (_, i) =>
        record({ ...requests, label: SYNC_LABEL }, i),
      );
      for (const target of targets) {
        options.log(`does ${target.name} sync before it answers?`);
        await checkSyncs(target, syncs);
      }
      const { connections, rounds, seconds } = options;
      const { blocks, answered } = await comparePeers(targets, {
        ...{ connections, rounds, seconds, recordBytes, file: requests.file, records: requests.records },
        onBlock: (target, round) => options.log(`round ${round}: ${target}`),
      });
      for (const [at, target] of targets.entries()) {
        options.log(`does ${target.name} know its answers after a crash?`);
        targets[at] = await target.crash();
        await checkReplays(
          targets[at] as PeerTarget,
          requests,
          must(answered.get(target.name), 'its blocks'),
        );
      }
      const titles = new Map(targets.map(({ name, title }) => [name, title]));
      return { rows: summarizePeers(blocks, titles), blocks, missing };
    } finally {
      await Promise.allSettled(targets.map((target) => target.stop()));
    }
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

function* balances(requests: MixedFileOptions): Generator<Balance> {
  for (let i = 0; i < SYNC_REQUESTS; i++) {
    yield { investor: recordInvestor(SYNC_LABEL, i), balance: AMOUNT };
  }
  yield* mixedInvestors(requests);
}

/** Asks again for answers of the last block, spread over it: each must be a replay. */
async function checkReplays(
  target: PeerTarget,
  requests: MixedFileOptions,
  { first, end }: Answered,
): Promise<void> {
  if (end <= first) throw new Error(`${target.name} has answered too little to be asked again`);
  const step = Math.max(1, Math.floor((end - first) / SAMPLES));
  for (let position = first; position < end; position += step) {
    const index = recordAt(position);
    const { status, headers, body } = await post(target.url, record(requests, index));
    const isRight = status === (isPoor(index) ? 422 : 201) && headers.get('idempotency-replayed') === 'true';
    if (!isRight) throw new Error(`${target.name} has forgotten record ${index}: ${status} ${body}`);
  }
}

function positive(text: string, name: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${name} takes whole numbers above 0, not ${text}`);
  return Number.parseInt(text, 10);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peers: { type: 'string', default: '' },
      connections: { type: 'string', default: '256' },
      // Every other round goes backwards: an even number is fair to the first and the last.
      rounds: { type: 'string', default: '6' },
      seconds: { type: 'string', default: '4' },
      'per-second-max': { type: 'string', default: '90000' },
      scratch: { type: 'string', default: tmpdir() },
    },
  });
  const settings = {
    peers: values.peers === '' ? [] : values.peers.split(','),
    connections: positive(values.connections, 'connections'),
    rounds: positive(values.rounds, 'rounds'),
    seconds: positive(values.seconds, 'seconds'),
    perSecondMax: positive(values['per-second-max'], 'per-second-max'),
  };
  const { scratch } = values;
  const machine = describeMachine(scratch);
  if (machine.disk === 'tmpfs')
    throw new Error(`${scratch} is in memory, where a sync costs nothing: --scratch DIR`);
  const at = new Date().toISOString();
  const log = (line: string): void => console.error(line);
  const { rows, blocks, missing } = await measurePeers({ ...settings, scratch, log });
  mkdirSync(RESULTS, { recursive: true });
  const stem = join(RESULTS, `peers-${at.slice(0, 19).replaceAll(':', '')}`);
  const tables = [peersMarkdown(rows), ...missing.map((lack) => `not measured: ${lack}`)];
  const result = { at, machine, settings, missing, rows, blocks };
  writeRun(stem, result, tables, peersReached(rows), machine);
  console.log(
    `${machine.cores} cores of ${machine.cpu}, Node ${machine.node}, ${machine.disk}, commit ${machine.commit}\n`,
  );
  for (const table of tables) console.log(table);
  console.log(`written to ${stem}.json`);
  if (missing.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
