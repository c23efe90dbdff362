// What the ratios share in a run: the request file, edges that were shown to sync, the constant server.

import { join } from 'node:path';
import { createRound, TEST_JWT_SECRET } from '../../test/harness/node-process.js';
import { AMOUNT, type Bench, LABEL, type RequestSet, ROUND, type Sizes } from './ratios/ratio.js';
import { type RequestFileOptions, record, writeRequestFile } from './request-file.js';
import { checkSyncs } from './sync-check.js';
import { type EdgeTarget, probe, startConstant, startEdge } from './targets.js';

/** The check has a round of its own, so that nothing of it is in the round that is measured. */
const SYNC_ROUND = 'sync-check';
const SYNC_REQUESTS = 5;

export interface BenchSettings {
  readonly dir: string;
  readonly sizes: Sizes;
  /** How many edges are checked for their syncs, from the first: fewer than all only where the figures are thrown away. */
  readonly syncChecks: number;
  readonly log: (line: string) => void;
}

/** The requests of a bench; the file has more of them than any measurement sends to one edge. */
export function requestOptions(dir: string): Omit<RequestFileOptions, 'records'> {
  return { file: join(dir, 'requests'), secret: TEST_JWT_SECRET, round: ROUND, amount: AMOUNT, label: LABEL };
}

function recordsFor(sizes: Sizes): number {
  const comparison = sizes.seconds * (2 * sizes.rounds + 1) * sizes.perSecondMax;
  const many = sizes.admitted + (2 * sizes.rounds + 1) * sizes.perSecondMax;
  return Math.max(comparison, many, sizes.journalRows + 3 * sizes.perSecondMax);
}

export function openBench({ dir, sizes, syncChecks, log }: BenchSettings): Bench {
  const options = requestOptions(dir);
  let requests: RequestSet | undefined;
  let probes = 0;
  let checked = 0;
  const edge: Bench['edge'] = async (name, settings) => {
    const target = await startEdge(join(dir, name), ROUND, AMOUNT, settings);
    if (checked++ < syncChecks) await checkEdge(target).catch((error: unknown) => abandon(target, error));
    return target;
  };
  return {
    dir,
    sizes,
    log,
    requests: () => {
      if (requests !== undefined) return requests;
      const records = recordsFor(sizes);
      log(`writing ${records} requests`);
      requests = { file: options.file, records, recordBytes: writeRequestFile({ ...options, records }) };
      return requests;
    },
    edge,
    constant: async () => {
      const probed = await startEdge(join(dir, `probe-${++probes}`), ROUND, AMOUNT);
      try {
        return await startConstant(
          await probe(probed.url, record({ ...options, records: 1, label: 'probe' }, 0)),
        );
      } finally {
        await probed.kill();
      }
    },
  };
}

async function checkEdge(edge: EdgeTarget): Promise<void> {
  await createRound(edge, {
    id: SYNC_ROUND,
    cap: 9e15,
    minimum: AMOUNT,
    maximum: AMOUNT,
    unknownBalance: 'allow',
  });
  const options = { ...requestOptions(''), records: SYNC_REQUESTS, round: SYNC_ROUND, label: 'sync' };
  const requests = Array.from({ length: SYNC_REQUESTS }, (_, i) => record(options, i));
  await checkSyncs({ name: edge.name, url: edge.url, pids: [edge.pid] }, requests);
}

async function abandon(edge: EdgeTarget, error: unknown): Promise<never> {
  await edge.kill();
  throw error;
}
