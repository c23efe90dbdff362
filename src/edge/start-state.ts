// What a start finds and must agree on before anything is admitted: keys, watermark, journal, index, counters.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../core/config.js';
import { Counters, counterBytes } from '../core/counters.js';
import { EXIT } from '../core/exit-codes.js';
import { START_CHECK_ROWS_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { TokenOptions } from '../core/token.js';
import type { Tenure } from '../engines/coordination.js';
import { FileWatermarkStore, type Watermark, type WatermarkStore } from '../engines/watermark.js';
import { MirroredWatermarkStore } from '../engines/watermark-mirror.js';
import { tokenOptions } from '../http/token-options.js';
import type { IndexerFailure, Recovered } from '../workers/indexer-protocol.js';
import { JOURNAL_HEAD_BYTES, JournalHead } from '../workers/journal-head.js';
import { IndexerClient } from './indexer-client.js';

export interface StartFailure {
  readonly message: string;
  readonly exitCode: number;
}

export interface Places {
  readonly journalDir: string;
  readonly indexDir: string;
  readonly watermarkFile: string;
  /** How far the rows are in Cassandra: replication-cursor.ts. */
  readonly cursorFile: string;
}

export interface StartState {
  readonly places: Places;
  readonly token: TokenOptions;
  readonly store: WatermarkStore;
  readonly tenure: Tenure;
  /** False when this process may not act as the owner of its rounds. */
  readonly owns: () => boolean;
  readonly epoch: number;
  /** The watermark that was found: everything up to there has been promised to somebody. 0: none. */
  readonly promisedSequence: number;
  /** Of the cluster's watermark, which is this journal's; 0: there is none, or no cluster. */
  readonly markedEpoch: number;
  readonly recovered: Recovered;
  readonly indexer: IndexerClient;
  readonly counters: Counters;
  readonly countersMemory: SharedArrayBuffer;
  readonly head: JournalHead;
  readonly headMemory: SharedArrayBuffer;
}

/** The files of the edge under the data directory; makes the directories. */
export function makePlaces(dataDir: string): Places {
  const root = path.join(dataDir, 'edge');
  const journalDir = path.join(root, 'journal');
  mkdirSync(journalDir, { recursive: true, mode: 0o700 });
  return {
    journalDir,
    indexDir: path.join(root, 'index'),
    watermarkFile: path.join(root, 'watermark.json'),
    cursorFile: path.join(root, 'replicated.json'),
  };
}

const refuse = (message: string): Result<never, StartFailure> => err({ message, exitCode: EXIT.internal });

/**
 * Recovers journal and index, holds them against the watermark, here and in the cluster, and sets the counters to what
 * they say. The epoch is above every one that either watermark has seen.
 * @param onIndexerFailure the index can no longer follow the journal
 */
export async function recoverState(
  config: Config,
  tenure: Tenure,
  onIndexerFailure: (failure: IndexerFailure) => void,
): Promise<Result<StartState, StartFailure>> {
  const token = tokenOptions(config);
  if (!token.ok) return err({ message: token.error, exitCode: EXIT.config });
  const places = makePlaces(config.dataDir);
  const local = new FileWatermarkStore(places.watermarkFile);
  const store = tenure.watermark === null ? local : new MirroredWatermarkStore(tenure.watermark, local);
  const watermarks: Watermark[] = [];
  let shared: Watermark | null = null;
  for (const each of tenure.watermark === null ? [local] : [local, tenure.watermark]) {
    const watermark = await each.read();
    if (!watermark.ok) return refuse(watermark.error);
    if (watermark.value !== null) watermarks.push(watermark.value);
    if (each === tenure.watermark) shared = watermark.value;
  }
  const floorSequence = Math.max(0, ...watermarks.map(({ sequence }) => sequence));
  const raised = await tenure.ownership.raiseAbove(Math.max(0, ...watermarks.map(({ epoch }) => epoch)));
  if (!raised.ok) return err({ message: raised.error, exitCode: EXIT.unavailable });

  const countersMemory = new SharedArrayBuffer(counterBytes(config.workers));
  const headMemory = new SharedArrayBuffer(JOURNAL_HEAD_BYTES);
  const indexer = new IndexerClient(
    {
      journalDir: places.journalDir,
      indexDir: places.indexDir,
      segmentBytes: config.journalSegmentBytes,
      counters: countersMemory,
      journalHead: headMemory,
    },
    onIndexerFailure,
  );
  const recovery = await indexer.run({ kind: 'recover', floorSequence });
  const checked = recovery.ok ? agrees(recovery.value, watermarks) : refuse(recovery.error.message);
  if (!checked.ok) {
    await indexer.end();
    return checked;
  }
  const recovered = checked.value;
  const head = new JournalHead(headMemory);
  head.start(recovered.journalId, recovered.end, recovered.lastSegment);
  const counters = new Counters(countersMemory);
  const impossible = restoreCounters(counters, recovered);
  if (impossible !== null) {
    await indexer.end();
    return refuse(impossible);
  }
  counters.indexedSequence = recovered.end.nextSequence - 1;
  if (recovered.end.nextSequence - 1 <= START_CHECK_ROWS_MAX) {
    const self = await indexer.run({ kind: 'self-check' });
    const differences = self.ok ? self.value.differences : [self.error.message];
    if (differences.length > 0) {
      await indexer.end();
      return refuse(`the index does not agree with itself: ${differences.join('; ')}`);
    }
  }
  const { word, epoch } = tenure.ownership;
  return ok({
    places,
    token: token.value,
    store,
    tenure,
    owns: () => !word.expired(process.hrtime.bigint()),
    epoch,
    promisedSequence: floorSequence,
    markedEpoch: shared?.journalId === recovered.journalId ? shared.epoch : 0,
    recovered,
    indexer,
    counters,
    countersMemory,
    head,
    headMemory,
  });
}

function agrees(recovered: Recovered, watermarks: readonly Watermark[]): Result<Recovered, StartFailure> {
  const last = recovered.end.nextSequence - 1;
  for (const { journalId, sequence } of watermarks) {
    if (sequence === 0) continue;
    if (journalId !== recovered.journalId) {
      return refuse(
        `the watermark is of journal ${journalId} (durable up to sequence ${sequence}), but the journal here is ${recovered.journalId}: the disk has been lost or swapped. Restore the data directory; nothing is admitted until then`,
      );
    }
    if (last < sequence) {
      return refuse(
        `the journal ends at sequence ${last}, but sequence ${sequence} had been durable: the disk has been rolled back. Restore the data directory; nothing is admitted until then`,
      );
    }
  }
  return ok(recovered);
}

/** Sets every round's counters; the reason when the totals cannot be. */
function restoreCounters(counters: Counters, recovered: Recovered): string | null {
  for (const { definition, totals } of recovered.rounds) {
    const room = definition.cap - totals.admitted;
    if (room < 0 || totals.admitted < 0 || totals.investors < 0) {
      return `round ${definition.id}: ${totals.admitted} admitted with a cap of ${definition.cap}`;
    }
    const { investors, settled, declined } = totals;
    counters.restore(definition.number, { room, investors, settled, declined });
    counters.setState(definition.number, definition.state);
  }
  return null;
}
