// What the main thread and the indexer thread say to each other. One piscina task at a time.

import type { Lineage } from '../core/ids.js';
import type { JournalPosition } from '../core/journal-format.js';
import type { BalanceMessage } from '../core/messages.js';
import type { Result } from '../core/result.js';
import type { BalanceLine } from './index-balances.js';
import type { InvestorRecord, RoundEntry } from './index-records.js';
import type { DirtyRange } from './journal-tail.js';

/** `workerData` of the indexer. */
export interface IndexerOptions {
  readonly journalDir: string;
  readonly indexDir: string;
  /** Size of the first segment, if there is no journal yet. */
  readonly segmentBytes: number;
  /** Shared memory: core/counters.ts, and workers/journal-head.ts. */
  readonly counters: SharedArrayBuffer;
  readonly journalHead: SharedArrayBuffer;
}

/** Comes first: makes journal and index ready. The caller starts the head and fills the counters with what it gets. */
export interface RecoverTask {
  readonly kind: 'recover';
  /** The highest sequence that anything but the index (watermark, mark of a clean stop) knows to be durable; 0: none. */
  readonly floorSequence: number;
}

/** Applies what the journal has synced and the index does not hold, up to INDEX_CATCH_UP_ROWS_MAX rows. */
export interface CatchUpTask {
  readonly kind: 'catch-up';
}

/** Sets balances as an import tells them, all or none; flushed when it is answered. */
export interface BalancesTask {
  readonly kind: 'balances';
  readonly lines: readonly BalanceLine[];
}

/** Takes over the balances that are newer than what is known; flushed when it is answered. */
export interface BalanceMessagesTask {
  readonly kind: 'balance-messages';
  readonly messages: readonly BalanceMessage[];
}

/** What is known of one investor. */
export interface InvestorTask {
  readonly kind: 'investor';
  readonly investor: string;
}

/** Adds the rows up again and compares with the totals and the outbox. */
export interface SelfCheckTask {
  readonly kind: 'self-check';
}

/** Catches up once more and closes. */
export interface CloseTask {
  readonly kind: 'close';
}

export type IndexerTask =
  | RecoverTask
  | CatchUpTask
  | BalancesTask
  | BalanceMessagesTask
  | InvestorTask
  | SelfCheckTask
  | CloseTask;

/** Why the indexer cannot go on. What it had committed before stays; the journal has the rest. */
export interface IndexerFailure {
  /**
   * `journal-damaged`: the journal says what cannot be; nothing may be served from it. `index-failed`: the index could
   * not be written or contradicts the journal: admission has to stop in order, the next start repairs it.
   */
  readonly code: 'journal-damaged' | 'index-failed';
  readonly message: string;
}

export interface Recovered {
  readonly journalId: string;
  /** Whose ids the rows have: core/ids.ts. */
  readonly lineage: Lineage;
  /** Where the next frame goes; index and journal both end here. */
  readonly end: JournalPosition;
  /** The highest segment that exists, for the head. */
  readonly lastSegment: number;
  readonly rounds: readonly RoundEntry[];
  /** Rows that the index had not seen. */
  readonly replayedRows: number;
  /** Why the index was built from the journal's start, or null. Balances are unknown then until the bank tells them. */
  readonly rebuilt: string | null;
  /** What was cut from the journal's end, or null. */
  readonly torn: DirtyRange | null;
  readonly recoveryMs: number;
}

export interface CaughtUp {
  /** The sequence up to which the index holds every row. */
  readonly mark: number;
  /** Rows that this call applied, and that are synced and still wait. */
  readonly rows: number;
  readonly behind: number;
}

/** What differs, in words; nothing when the index agrees with itself. */
export interface SelfCheck {
  readonly rows: number;
  readonly differences: readonly string[];
}

interface Answers {
  readonly recover: Recovered;
  readonly 'catch-up': CaughtUp;
  readonly balances: { readonly investors: number };
  /** Whose balances changed. */
  readonly 'balance-messages': { readonly applied: readonly string[] };
  readonly investor: InvestorRecord | null;
  readonly 'self-check': SelfCheck;
  readonly close: CaughtUp;
}

export type IndexerResult<T extends IndexerTask> = Result<Answers[T['kind']], IndexerFailure>;
