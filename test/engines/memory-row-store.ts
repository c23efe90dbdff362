// For tests: a row store in memory, held to the same contract as the real one, so that what is built on it can be tested
// row by row, with holes and failures at will.

import type { EpochEntry } from '../../src/core/epochs.js';
import { ROW_BUCKET_SEQUENCES } from '../../src/core/limits.js';
import { err, ok, type Result } from '../../src/core/result.js';
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
} from '../../src/engines/rows.js';

/** What lies under all stores of one keyspace. */
export class MemoryRows {
  readonly entries = new Map<string, RowEntry>();
  readonly byInvestor = new Map<string, InvestorRowEntry>();
  readonly epochs = new Map<number, EpochEntry>();
}

export class MemoryRowStore implements RowStore {
  readonly data: MemoryRows;
  /** Every call fails with it while it is there. */
  failure: RowsFailure | null = null;
  identityText = 'memory';

  constructor(data = new MemoryRows()) {
    this.data = data;
  }

  async identity(): Promise<Result<string, RowsFailure>> {
    return this.#answer(this.identityText);
  }

  async write(entries: readonly RowEntry[]): Promise<Result<RowsWritten, RowsFailure>> {
    if (this.failure !== null) return err(this.failure);
    for (const entry of entries) this.data.entries.set(`${entry.row.sequence} ${entry.epoch}`, entry);
    return ok({ rows: entries.length, batches: 1 });
  }

  async writeByInvestor(entries: readonly InvestorRowEntry[]): Promise<Result<RowsWritten, RowsFailure>> {
    if (this.failure !== null) return err(this.failure);
    for (const entry of entries) this.data.byInvestor.set(`${entry.row.sequence} ${entry.epoch}`, entry);
    return ok({ rows: entries.length, batches: 1 });
  }

  async epochs(): Promise<Result<readonly EpochEntry[], RowsFailure>> {
    return this.#answer([...this.data.epochs.values()].sort((a, b) => a.epoch - b.epoch));
  }

  async claimEpoch(entry: EpochEntry): Promise<Result<EpochClaim, RowsFailure>> {
    const { epochs } = this.data;
    if (this.failure !== null) return err(this.failure);
    const by = epochs.get(entry.epoch);
    if (by === undefined) epochs.set(entry.epoch, entry);
    const isOurs =
      by === undefined || (by.journalId === entry.journalId && by.firstSequence === entry.firstSequence);
    return ok(isOurs ? { claimed: true } : { claimed: false, by });
  }

  async controlRows(): Promise<Result<readonly StoredRow<ControlRow>[], RowsFailure>> {
    return this.#answer(
      sorted(
        [...this.data.entries.values()].flatMap(({ row, epoch }) =>
          row.kind === 'round' || row.kind === 'lineage' ? [stored<ControlRow>(row, epoch)] : [],
        ),
      ),
    );
  }

  async bucketRows(
    round: { readonly id: string; readonly number: number },
    bucket: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>> {
    return this.#answer(
      sorted(
        [...this.data.entries.values()].flatMap(({ row, epoch, round: id }) =>
          'investor' in row && id === round.id && Math.floor(row.sequence / ROW_BUCKET_SEQUENCES) === bucket
            ? [stored<InvestorRow>({ ...row, round: round.number }, epoch)]
            : [],
        ),
      ),
    );
  }

  async investorRows(
    round: { readonly id: string; readonly number: number },
    investor: string,
    limit: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>> {
    const mine = [...this.data.byInvestor.values()].flatMap(({ row, epoch, round: id }) =>
      id === round.id && row.investor === investor
        ? [stored<InvestorRow>({ ...row, round: round.number }, epoch)]
        : [],
    );
    return this.#answer(sorted(mine).reverse().slice(0, limit));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #answer<T>(value: T): Result<T, RowsFailure> {
    return this.failure === null ? ok(value) : err(this.failure);
  }
}

function stored<T extends ControlRow | InvestorRow>(row: T, epoch: number): StoredRow<T> {
  return { sequence: row.sequence, epoch, row: ok(row) };
}

function sorted<T extends { sequence: number; epoch: number }>(rows: T[]): T[] {
  return rows.sort((a, b) => a.sequence - b.sequence || a.epoch - b.epoch);
}
