// Before a node admits: are the rows in Cassandra those of its journal? A data directory that is new where rows are has
// been lost or swapped, and would give room away a second time.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EpochBook } from '../core/epochs.js';
import { EXIT } from '../core/exit-codes.js';
import type { Lineage } from '../core/ids.js';
import { err, ok, type Result } from '../core/result.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { CassandraRowStore } from '../engines/cassandra/row-store.js';
import type { RowStore } from '../engines/rows.js';
import type { StartFailure, StartState } from './start-state.js';

export interface GuardedJournal {
  readonly journalId: string;
  readonly lineage: Lineage;
  /** It holds rows already. */
  readonly hasRows: boolean;
  /** Under which the node is about to run. */
  readonly epoch: number;
  readonly cluster: string;
}

/**
 * Ok, with a warning where it could not be seen: a journal that has rows may go on without Cassandra. A new one may not,
 * nor one whose tables are not there.
 */
export async function guardRows(
  store: Pick<RowStore, 'epochs'>,
  journal: GuardedJournal,
): Promise<Result<{ readonly warning: string | null }, StartFailure>> {
  const { journalId, lineage, hasRows, epoch, cluster } = journal;
  const known = await store.epochs();
  if (!known.ok) {
    const { code, message } = known.error;
    if (code === 'refused')
      return err({ message: `Cassandra: ${message}; run "openbell migrate"`, exitCode: EXIT.config });
    if (hasRows)
      return ok({ warning: `Cassandra cannot be reached, so its rows were not compared: ${message}` });
    return err({
      message: `this data directory is new, and whether there are rows of an earlier one cannot be seen: ${message}`,
      exitCode: EXIT.unavailable,
    });
  }
  const { newest } = new EpochBook(known.value);
  if (newest === null) return ok({ warning: null });
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
  return ok({ warning: null });
}

/** Compares with the rows in Cassandra, where there are any. */
export async function guardState(
  config: Config,
  logger: Logger,
  { recovered, epoch }: StartState,
): Promise<Result<undefined, StartFailure>> {
  if (config.cassandra.length === 0) return ok(undefined);
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ message: cassandra.error, exitCode: EXIT.config });
  const store = new CassandraRowStore(cassandra.value, config.cluster);
  const { journalId, lineage, end } = recovered;
  const hasRows = end.nextSequence > 1;
  const guarded = await guardRows(store, { journalId, lineage, hasRows, epoch, cluster: config.cluster });
  await store.close();
  if (!guarded.ok) return guarded;
  if (guarded.value.warning !== null) logger.warn(guarded.value.warning);
  return ok(undefined);
}
