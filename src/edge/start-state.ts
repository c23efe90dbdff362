// What a start finds and must agree on before anything is admitted: keys, watermark, journal, index, counters.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../core/config.js';
import { Counters, counterBytes } from '../core/counters.js';
import { EXIT } from '../core/exit-codes.js';
import { START_CHECK_ROWS_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { TokenOptions } from '../core/token.js';
import { FileWatermarkStore, type WatermarkStore } from '../engines/watermark.js';
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
  readonly epoch: number;
  /** The watermark that was found: everything up to there has been promised to somebody. 0: none. */
  readonly promisedSequence: number;
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
 * Recovers journal and index, holds them against the watermark, and sets the counters to what they say.
 * @param onIndexerFailure the index can no longer follow the journal
 */
export async function recoverState(
  config: Config,
  onIndexerFailure: (failure: IndexerFailure) => void,
): Promise<Result<StartState, StartFailure>> {
  const token = tokenOptions(config);
  if (!token.ok) return err({ message: token.error, exitCode: EXIT.config });
  const places = makePlaces(config.dataDir);
  const store = new FileWatermarkStore(places.watermarkFile);
  const watermark = await store.read();
  if (!watermark.ok) return refuse(watermark.error);
  const floorSequence = watermark.value?.sequence ?? 0;

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
  const checked = recovery.ok ? agrees(recovery.value, watermark.value) : refuse(recovery.error.message);
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
  const epoch = (watermark.value?.epoch ?? 0) + 1;
  return ok({
    places,
    token: token.value,
    store,
    epoch,
    promisedSequence: floorSequence,
    recovered,
    indexer,
    counters,
    countersMemory,
    head,
    headMemory,
  });
}

function agrees(
  recovered: Recovered,
  watermark: { readonly journalId: string; readonly sequence: number } | null,
): Result<Recovered, StartFailure> {
  if (watermark === null || watermark.sequence === 0) return ok(recovered);
  const last = recovered.end.nextSequence - 1;
  if (watermark.journalId !== recovered.journalId) {
    return refuse(
      `the watermark is of journal ${watermark.journalId} (durable up to sequence ${watermark.sequence}), but the journal here is ${recovered.journalId}: the disk has been lost or swapped. Restore the data directory; nothing is admitted until then`,
    );
  }
  if (last < watermark.sequence) {
    return refuse(
      `the journal ends at sequence ${last}, but sequence ${watermark.sequence} had been durable: the disk has been rolled back. Restore the data directory; nothing is admitted until then`,
    );
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
