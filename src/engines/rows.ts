// The rows of the journal where they outlive its disk, as the rest of the system sees them. There is no embedded twin:
// without a second machine there is no second copy, and nothing here is needed then.
//
// Rows are written at least once and have keys of their own, so that writing one again changes nothing. They are kept by
// epoch: where two nodes have written the same sequence, both rows are there, and core/epochs.ts says which one counts.

import type { EpochEntry } from '../core/epochs.js';
import type { Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { LineageRow, OutcomeRow, RoundRow, Row, VerdictRow } from '../core/rows.js';

/** A row that one investor's verdict or outcome is. */
export type InvestorRow = VerdictRow | OutcomeRow;
/** A row about the journal or a round as a whole; there are few. */
export type ControlRow = RoundRow | LineageRow;

/** A row on its way into the store. */
export interface RowEntry {
  readonly row: Row;
  /** Of the frame that it stands in. */
  readonly epoch: number;
  /** Id of its round; empty for a lineage row. */
  readonly round: string;
}

/** A row by investor, with the id that its investment is known by. */
export interface InvestorRowEntry extends RowEntry {
  readonly row: InvestorRow;
  readonly investment: string;
}

/** A row out of the store. */
export interface StoredRow<T extends Row> {
  readonly sequence: number;
  readonly epoch: number;
  /** What it holds, or why that is no row. */
  readonly row: Result<T, string>;
}

export interface RowsFailure {
  /**
   * `unavailable`: no quorum could be reached in time; what was written may be there. `refused`: the server would not
   * do it, which an operator has to mend.
   */
  readonly code: 'unavailable' | 'refused';
  readonly message: string;
}

export interface RowsWritten {
  readonly rows: number;
  readonly batches: number;
}

/** What became of a claim. */
export type EpochClaim =
  /** On record, now or before. */
  | { readonly claimed: true }
  /** Another journal, or another beginning, has this epoch. */
  | { readonly claimed: false; readonly by: EpochEntry };

export interface RowStore {
  /** What tells this store from another one, or from itself after it was made anew. */
  identity(): Promise<Result<string, RowsFailure>>;
  /** Writes the rows by sequence; after a failure some of them may have been written. Never rejects, as all here. */
  write(entries: readonly RowEntry[]): Promise<Result<RowsWritten, RowsFailure>>;
  /** Writes the rows by investor, a view of the others. */
  writeByInvestor(entries: readonly InvestorRowEntry[]): Promise<Result<RowsWritten, RowsFailure>>;
  /** Every epoch on record, as of all claims that have been answered. */
  epochs(): Promise<Result<readonly EpochEntry[], RowsFailure>>;
  /** Puts an epoch on record unless it is; exactly one claim of an epoch succeeds. */
  claimEpoch(entry: EpochEntry): Promise<Result<EpochClaim, RowsFailure>>;
  /** All control rows, by ascending sequence, of every epoch. */
  controlRows(): Promise<Result<readonly StoredRow<ControlRow>[], RowsFailure>>;
  /**
   * The rows of a round whose sequences are from `bucket * ROW_BUCKET_SEQUENCES` to below the next bucket, by ascending
   * sequence, of every epoch.
   */
  bucketRows(
    round: Pick<RoundDefinition, 'id' | 'number'>,
    bucket: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>>;
  /** One investor's rows of a round, newest first, at most `limit`, of every epoch. */
  investorRows(
    round: Pick<RoundDefinition, 'id' | 'number'>,
    investor: string,
    limit: number,
  ): Promise<Result<readonly StoredRow<InvestorRow>[], RowsFailure>>;
  close(): Promise<void>;
}
