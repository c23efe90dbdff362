// The row store on Cassandra: unlogged batches of one partition, LOCAL_QUORUM both ways, at most so many in flight.
//
// Two clients, for two kinds of work (client.ts). Rows are idempotent, so the driver may repeat them by itself and so
// may our callers. Claims of epochs are lightweight transactions: one whose answer was lost is asked after by a serial
// read, which also ends whatever of it was still on its way.

import type { Client, types } from 'cassandra-driver';
import { types as driverTypes } from 'cassandra-driver';
import type { EpochEntry } from '../../core/epochs.js';
import { CASSANDRA_BATCHES_IN_FLIGHT, CASSANDRA_INVESTOR_BATCHES_IN_FLIGHT } from '../../core/limits.js';
import { err, ok, type Result } from '../../core/result.js';
import type { RoundDefinition } from '../../core/round.js';
import type {
  ControlRow,
  EpochClaim,
  InvestorRow,
  InvestorRowEntry,
  RowEntry,
  RowStore,
  RowsFailure,
  RowsWritten,
  StoredRow,
} from '../rows.js';
import { cassandraClient, closeLeftOver, endClient } from './client.js';
import { integerOf, textOf, timeOf } from './column.js';
import { rowsFailure } from './failure.js';
import type { CassandraOptions } from './options.js';
import { controlRow, investorRow } from './row-records.js';
import { investorBatches, roundBatches, type Statement, sliceOf } from './row-statements.js';
import { Slots } from './slots.js';

const SERIAL = { consistency: driverTypes.consistencies.localSerial, prepare: true };
const BATCH = { prepare: true, logged: false };

export class CassandraRowStore implements RowStore {
  readonly #cluster: string;
  readonly #rows: Client;
  readonly #decisions: Client;
  // The view has slots of its own, and few: replies wait for the rows by round, and must not wait for the view.
  readonly #roundSlots = new Slots(CASSANDRA_BATCHES_IN_FLIGHT - CASSANDRA_INVESTOR_BATCHES_IN_FLIGHT);
  readonly #investorSlots = new Slots(CASSANDRA_INVESTOR_BATCHES_IN_FLIGHT);

  /** Connects with the first request. `cluster` keeps rows of several rounds of nodes in one keyspace apart. */
  constructor(options: CassandraOptions, cluster: string) {
    this.#cluster = cluster;
    this.#rows = cassandraClient(options, 'rows');
    this.#decisions = cassandraClient(options, 'decisions');
  }

  identity(): Promise<Result<string, RowsFailure>> {
    return attempt(this.#rows, async () => {
      const found = await this.#select('SELECT value FROM schema_state WHERE part = ?', ['identity']);
      const row = found.first();
      if (row === null) return err({ code: 'refused', message: 'the keyspace was never migrated' });
      return ok(textOf(row, 'value'));
    });
  }

  write(entries: readonly RowEntry[]): Promise<Result<RowsWritten, RowsFailure>> {
    return this.#writeAll(entries.length, roundBatches(this.#cluster, entries), this.#roundSlots);
  }

  writeByInvestor(entries: readonly InvestorRowEntry[]): Promise<Result<RowsWritten, RowsFailure>> {
    return this.#writeAll(entries.length, investorBatches(this.#cluster, entries), this.#investorSlots);
  }

  epochs(): Promise<Result<readonly EpochEntry[], RowsFailure>> {
    return attempt(this.#decisions, async () => {
      const query =
        'SELECT epoch, journal_id, first_sequence, built_after, ack, at FROM epochs WHERE cluster = ?';
      const found = await this.#decisions.execute(query, [this.#cluster], SERIAL);
      return ok(found.rows.map(epochEntry));
    });
  }

  async claimEpoch(entry: EpochEntry): Promise<Result<EpochClaim, RowsFailure>> {
    const { epoch, journalId, firstSequence, builtAfter, ack, at } = entry;
    const query =
      'INSERT INTO epochs (cluster, epoch, journal_id, first_sequence, built_after, ack, at) VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS';
    const params = [this.#cluster, epoch, journalId, firstSequence, builtAfter, ack, at];
    const inserted = await attempt(this.#decisions, async () => {
      const result = await this.#decisions.execute(query, params, { prepare: true });
      return ok(result.wasApplied());
    });
    if (inserted.ok && inserted.value) return ok({ claimed: true });
    if (!inserted.ok && inserted.error.code === 'refused') return inserted;
    const known = await this.epochs();
    if (!known.ok) return known;
    const by = known.value.find((one) => one.epoch === epoch);
    if (by === undefined) return inserted.ok ? unknownClaim() : inserted;
    const isOurs = by.journalId === journalId && by.firstSequence === firstSequence;
    return ok(isOurs ? { claimed: true } : { claimed: false, by });
  }

  controlRows(): Promise<Result<readonly StoredRow<ControlRow>[], RowsFailure>> {
    const query = 'SELECT sequence, epoch, at, kind, change, content FROM control_rows WHERE cluster = ?';
    return this.#pages(query, [this.#cluster], controlRow);
  }

  bucketRows(
    round: Pick<RoundDefinition, 'id' | 'number'>,
    bucket: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>> {
    const query = 'SELECT * FROM rows_by_round WHERE cluster = ? AND round = ? AND bucket = ?';
    const params = [this.#cluster, round.id, bucket];
    return this.#pages(query, params, (row) => investorRow(row, round.number));
  }

  investorRows(
    round: Pick<RoundDefinition, 'id' | 'number'>,
    investor: string,
    limit: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>> {
    const query =
      'SELECT * FROM rows_by_investor WHERE cluster = ? AND round = ? AND slice = ? AND investor = ? LIMIT ?';
    const params = [this.#cluster, round.id, sliceOf(investor), investor, limit];
    return this.#pages(query, params, (row) => investorRow(row, round.number));
  }

  async close(): Promise<void> {
    await Promise.all([endClient(this.#rows), endClient(this.#decisions)]);
  }

  /** Writes all batches, and answers when each has come to an end: the first failure, or how many there were. */
  async #writeAll(
    rows: number,
    batches: readonly Statement[][],
    slots: Slots,
  ): Promise<Result<RowsWritten, RowsFailure>> {
    const written = await Promise.all(
      batches.map((batch) =>
        slots.use(() =>
          attempt(this.#rows, async () => {
            // A batch of one is one insert, which the server need not take apart.
            const [only] = batch;
            if (batch.length === 1 && only !== undefined)
              await this.#rows.execute(only.query, [...only.params], { prepare: true });
            else await this.#rows.batch(batch as { query: string; params: unknown[] }[], BATCH);
            return ok(undefined);
          }),
        ),
      ),
    );
    const failed = written.find((one) => !one.ok);
    return failed?.ok === false ? failed : ok({ rows, batches: batches.length });
  }

  #select(query: string, params: readonly unknown[]): Promise<types.ResultSet> {
    return this.#rows.execute(query, [...params], { prepare: true });
  }

  /** All rows of a partition, page by page, so that neither side ever holds more than a page of the wire's form. */
  #pages<T>(
    query: string,
    params: readonly unknown[],
    read: (row: types.Row) => T,
  ): Promise<Result<readonly T[], RowsFailure>> {
    return attempt(this.#rows, async () => {
      const all: T[] = [];
      let pageState: string | null = null;
      do {
        const options: { prepare: true; pageState?: string } =
          pageState === null ? { prepare: true } : { prepare: true, pageState };
        const page: types.ResultSet = await this.#rows.execute(query, [...params], options);
        for (const row of page.rows) all.push(read(row));
        pageState = page.pageState;
      } while (pageState !== null && pageState !== undefined);
      return ok(all);
    });
  }
}

function epochEntry(row: types.Row): EpochEntry {
  const epoch = integerOf(row, 'epoch');
  return {
    epoch,
    journalId: textOf(row, 'journal_id'),
    firstSequence: integerOf(row, 'first_sequence'),
    // From before the column was there, when every older epoch was taken for one of its line.
    builtAfter: row['built_after'] === null ? epoch - 1 : integerOf(row, 'built_after'),
    ack: textOf(row, 'ack') === 'replicated' ? 'replicated' : 'journal',
    at: timeOf(row, 'at'),
  };
}

/** Refused, and yet nobody has it: what refused it has been undone since. To be tried again. */
function unknownClaim(): Result<never, RowsFailure> {
  return err({ code: 'unavailable', message: 'the claim of the epoch was contended' });
}

/** Runs work of a client; what the driver throws becomes the error. */
async function attempt<T>(
  client: Client,
  work: () => Promise<Result<T, RowsFailure>>,
): Promise<Result<T, RowsFailure>> {
  try {
    return await work();
  } catch (error) {
    closeLeftOver(client);
    return err(rowsFailure(error));
  }
}
