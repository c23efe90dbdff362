// What the main thread and the upkeep thread say to each other: segments made ahead of need, and audits in steps.
//
// An audit is a series of tasks, none longer than a part of a second, so that a segment never waits for a whole journal
// to be read: `audit-start`; `audit-scan` until it has reached its sequence, as often as wanted; `audit-ledger-opens`
// and one `audit-ledger` per page; `audit-finish`. One audit at a time: a start forgets what was begun before.

import type { Lineage } from '../core/ids.js';
import type { Result } from '../core/result.js';
import type { FindingList } from './audit-findings.js';
import type { LedgerPage, LedgerTally } from './audit-ledger.js';
import type { RoundTotals } from './journal-audit.js';

/** `workerData` of the upkeep thread. */
export interface UpkeepOptions {
  readonly journalDir: string;
  readonly indexDir: string;
  readonly segmentBytes: number;
  /** Whose ids the rows have: core/ids.ts. */
  readonly lineage: Lineage;
  /** Shared memory: workers/journal-head.ts. */
  readonly journalHead: SharedArrayBuffer;
}

/** Makes the segments that are missing ahead of the one in use, and raises `segmentReady` in the head. */
export interface PreallocateTask {
  readonly kind: 'preallocate';
}

/** Begins an audit at the journal's first row, against the index as it is now. */
export interface AuditStartTask {
  readonly kind: 'audit-start';
}

/** Reads on to a sequence that is durable, but at most AUDIT_SLICE_ROWS rows and the rest of a frame. */
export interface AuditScanTask {
  readonly kind: 'audit-scan';
  readonly toSequence: number;
  /** Ends of frames between where the audit is and `toSequence`, at which the totals are wanted. */
  readonly totalsAt: readonly number[];
}

/** The ledger is asked from now on: outcome rows behind here may be newer than what it tells. */
export interface AuditLedgerOpensTask {
  readonly kind: 'audit-ledger-opens';
}

/** A page of GET /admin/v1/outcomes, as it came; the journal has been read to what was durable when it had come. */
export interface AuditLedgerTask {
  readonly kind: 'audit-ledger';
  readonly page: Uint8Array;
}

export interface AuditFinishTask {
  readonly kind: 'audit-finish';
  /** The ledger has told everything that it held when it was opened. */
  readonly ledgerWhole: boolean;
}

export type UpkeepTask =
  | PreallocateTask
  | AuditStartTask
  | AuditScanTask
  | AuditLedgerOpensTask
  | AuditLedgerTask
  | AuditFinishTask;

export interface TotalsAt {
  readonly sequence: number;
  readonly rounds: readonly RoundTotals[];
}

export interface ScanProgress {
  /** The last sequence read. */
  readonly sequence: number;
  /** Reached what was asked for, or damage. */
  readonly done: boolean;
  readonly totals: readonly TotalsAt[];
  /** The journal cannot be read further; it has been noted. */
  readonly damaged: boolean;
}

export interface AuditEnd {
  readonly findings: FindingList;
  /** The last sequence read, which is also the number of rows. */
  readonly sequence: number;
  readonly frames: number;
  readonly rounds: readonly RoundTotals[];
  readonly index: {
    /** The index was compared as of this sequence. */
    readonly mark: number;
    /** Rows looked up in it: every one, or one in so many. */
    readonly checked: number;
    readonly every: number;
  };
  readonly ledger: LedgerTally;
  /** Rows that the bounds of the audit left out of a comparison. */
  readonly unchecked: { readonly live: number; readonly keys: number; readonly accepted: number };
}

interface Answers {
  /** How many segments were made. */
  readonly preallocate: Result<number, string>;
  readonly 'audit-start': { readonly mark: number };
  readonly 'audit-scan': ScanProgress;
  readonly 'audit-ledger-opens': null;
  readonly 'audit-ledger': Result<LedgerPage, string>;
  readonly 'audit-finish': AuditEnd;
}

export type UpkeepAnswer<T extends UpkeepTask> = Answers[T['kind']];
