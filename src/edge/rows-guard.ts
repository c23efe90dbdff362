// Before a node admits: are the rows in Cassandra those of its journal, and are there none behind its end? A data
// directory that is new where rows are has been lost or swapped, one that ends before its rows has been rolled back, and
// either would give room away a second time.

import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EpochBook } from '../core/epochs.js';
import { EXIT } from '../core/exit-codes.js';
import type { Lineage } from '../core/ids.js';
import { err, ok, type Result } from '../core/result.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import type { RowStore } from '../engines/rows.js';
import { openRowStore } from '../engines/rows-of.js';
import { lastRowBehind } from './rebuild-read.js';
import type { StartFailure, StartState } from './start-state.js';
import { StoredRows } from './stored-rows.js';

export interface GuardedJournal {
  readonly journalId: string;
  readonly lineage: Lineage;
  /** The last sequence that it holds; 0: it is new. */
  readonly end: number;
  /** Of the cluster's watermark, which is this journal's; 0: there is none, or no cluster. */
  readonly markedEpoch: number;
  /** Under which the node is about to run. */
  readonly epoch: number;
  readonly cluster: string;
}

/**
 * Ok, with a warning where it could not be seen: a journal that has rows may go on without Cassandra. A new one may not,
 * nor one whose tables are not there.
 */
export async function guardRows(
  store: RowStore,
  journal: GuardedJournal,
  pause: (ms: number) => Promise<void>,
): Promise<Result<{ readonly warning: string | null }, StartFailure>> {
  const { journalId, lineage, end, epoch, markedEpoch, cluster } = journal;
  const known = await store.epochs();
  if (!known.ok) {
    const { code, message } = known.error;
    if (code === 'refused')
      return err({ message: `Cassandra: ${message}; run "openbell migrate"`, exitCode: EXIT.config });
    if (end > 0)
      return ok({ warning: `Cassandra cannot be reached, so its rows were not compared: ${message}` });
    return err({
      message: `this data directory is new, and whether there are rows of an earlier one cannot be seen: ${message}`,
      exitCode: EXIT.unavailable,
    });
  }
  const book = new EpochBook(known.value);
  const { newest } = book;
  if (newest === null) return ok({ warning: null });
  if (newest.epoch < markedEpoch && newest.journalId !== journalId) {
    const warning = `this journal has gone on under epoch ${markedEpoch} since a takeover that came to nothing (epoch ${newest.epoch})`;
    return ok({ warning });
  }
  if (!lineage.some((entry) => entry.journalId === newest.journalId)) {
    return err({
      message: `the rows of cluster ${cluster} in Cassandra are of journal ${newest.journalId} (epoch ${newest.epoch}), but the journal here is ${journalId}: restore the data directory, or build it again from the rows with "openbell edge --rebuild"`,
      exitCode: EXIT.internal,
    });
  }
  const isOwn = newest.epoch === epoch && newest.journalId === journalId;
  if (newest.epoch >= epoch && !isOwn) {
    return err({
      message: `epoch ${newest.epoch} is on record in Cassandra, and this node would run under ${epoch}: the watermark is older than the rows. Another node may own them`,
      exitCode: EXIT.tryAgain,
    });
  }
  if (newest.journalId !== journalId) return ok({ warning: null });
  const behind = await lastRowBehind(new StoredRows(store, book, pause), end);
  if (!behind.ok) return ok({ warning: `the rows behind the end cannot be read: ${behind.error.message}` });
  if (behind.value === 0) return ok({ warning: null });
  return err({
    message: `the journal here ends at sequence ${end}, and there are rows of it up to ${behind.value} in Cassandra: the disk has been rolled back. Restore the data directory; or move edge/journal away and build it again from the rows with "openbell edge --rebuild"`,
    exitCode: EXIT.internal,
  });
}

/** Compares with the rows in Cassandra, where there are any. */
export async function guardState(
  config: Config,
  logger: Logger,
  { recovered, epoch, markedEpoch }: StartState,
): Promise<Result<undefined, StartFailure>> {
  if (config.cassandra.length === 0) return ok(undefined);
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ message: cassandra.error, exitCode: EXIT.config });
  const store = await openRowStore(cassandra.value, config.cluster);
  const { journalId, lineage } = recovered;
  const end = recovered.end.nextSequence - 1;
  const journal = { journalId, lineage, end, epoch, markedEpoch, cluster: config.cluster };
  const guarded = await guardRows(store, journal, delay);
  await store.close();
  if (!guarded.ok) return guarded;
  if (guarded.value.warning !== null) logger.warn(guarded.value.warning);
  return ok(undefined);
}
