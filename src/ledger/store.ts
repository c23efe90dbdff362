// What the ledger needs from its store: LMDB on one machine, or Cassandra. Every change is one call that either happens
// as a whole or not at all, and may be repeated.

import type { InvestorLine } from '../core/investor-lines.js';
import type { BalanceMessage, DeclineReason, InvestmentMessage, OutcomeMessage } from '../core/messages.js';
import type { Result } from '../core/result.js';

/** What became of one investment of a group. */
export type Settlement =
  /** Decided now, or long ago: the same outcome again, to the byte. */
  | { readonly kind: 'outcome'; readonly outcome: OutcomeMessage; readonly isReplay: boolean }
  /** The id belongs to another investment or transfer: nothing was changed. */
  | { readonly kind: 'conflict'; readonly detail: string }
  /**
   * It was published under an older epoch than the store has seen for its round: nothing was changed, and no outcome
   * is told. Whoever owns the round now publishes all that is unconfirmed under its own epoch. Only after `claim`.
   */
  | { readonly kind: 'stale'; readonly epoch: number };

export interface StoreFailure {
  readonly message: string;
  /** False: try again later. True: this process must not go on with this store. */
  readonly isFatal: boolean;
  /** Another ledger has claimed the store, or this one's lease has run out. Then `isFatal` is true as well. */
  readonly isFenced: boolean;
  /** True: neither the disk nor a peer has failed, but this program, over what it was given. Then `isFatal` is true as well. */
  readonly isDefect?: boolean;
}

export interface EntryView {
  /** Of the transfer that this is a leg of. */
  readonly id: string;
  /** Negative: taken from the account. */
  readonly amount: number;
  /** Of the account, after it. */
  readonly balance: number;
  /** The account of the other leg. */
  readonly counterparty: string;
  readonly at: string;
}

export interface AccountView {
  readonly currency: string;
  readonly balance: number;
  readonly eligible: boolean;
  readonly version: number;
  /** Newest first. */
  readonly entries: readonly EntryView[];
}

export interface TransferRequest {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly amount: number;
  readonly currency: string;
}

export interface TransferDone {
  readonly at: string;
  /** It had been made before; nothing was changed now. */
  readonly isReplay: boolean;
}

export interface Refusal {
  readonly code:
    | 'transfer-conflict'
    | 'account-not-found'
    | 'currency-mismatch'
    | 'insufficient-balance'
    | 'malformed-request'
    /** The store is away for a moment; the change may have been made. The same one again finds out. */
    | 'overloaded';
  readonly detail: string;
}

export interface OpenedAccounts {
  readonly opened: number;
  readonly existing: number;
}

export interface RoundTotals {
  readonly round: string;
  readonly currency: string | null;
  readonly cap: number;
  /** Sums of money, then counts of investments. */
  readonly settled: number;
  readonly declined: Readonly<Record<DeclineReason, number>>;
  readonly settledCount: number;
  readonly declinedCount: Readonly<Record<DeclineReason, number>>;
  /** Balance of the round's escrow account. */
  readonly escrow: number;
  /** What transfers by hand have put into the escrow, less what they have taken out. */
  readonly transferred: number;
}

export interface LedgerTotals {
  readonly rounds: readonly RoundTotals[];
  /** Escrow and external ones too. */
  readonly accounts: number;
  readonly entries: number;
  readonly outcomes: number;
  /** Of all entries ever written; 0, or money was made or lost. */
  readonly entriesSum: number;
  /** Investors whose balance change the edge has not confirmed. */
  readonly balancesQueued: number;
}

export interface LedgerFault {
  readonly invariant: 'I6' | 'I7';
  readonly detail: string;
}

export interface OutcomePage {
  readonly outcomes: readonly OutcomeMessage[];
  /** Position of the last one; the cursor of the next page. */
  readonly next: number;
  readonly more: boolean;
}

export interface BalanceBatch {
  readonly messages: readonly BalanceMessage[];
  /** What `balancesSent` takes. */
  readonly upTo: number;
}

/** Methods reject only when the store can no longer be trusted, or is another ledger's. */
export interface LedgerStore {
  /** Resolves when it can no longer be trusted, or is another ledger's: the process must end. */
  readonly failed: Promise<StoreFailure>;
  /** The highest fencing token that has ever claimed this store; 0 when none has. */
  fencingToken(): Promise<number>;
  /**
   * Makes `token` the highest one, durably; refused (fenced, fatal) when a higher one has claimed the store. From then
   * on every change of this process is made under it: each checks, as part of its own transaction, that no higher token
   * has claimed the store meanwhile, and is refused for good if one has. It also begins the check of epochs: `settle`
   * remembers the highest epoch of each round, durably, and calls older ones stale. A store that nobody has claimed in
   * this process (one machine, kept by its directory lock) checks neither. At most once, before any change.
   */
  claim(token: number): Promise<Result<void, StoreFailure>>;
  /** The highest epoch that a settled message of this round has had since epochs are checked; 0 when there is none. */
  roundEpoch(round: string): Promise<number>;
  /** Applies a group in order, as one transaction; when it resolves the outcomes are durable. */
  settle(group: readonly InvestmentMessage[]): Promise<Result<readonly Settlement[], StoreFailure>>;
  /** Opens accounts, all or none; one that exists keeps its balance and may change its eligibility. */
  openAccounts(lines: readonly InvestorLine[]): Promise<Result<OpenedAccounts, Refusal>>;
  transfer(request: TransferRequest): Promise<Result<TransferDone, Refusal>>;
  account(investor: string, entriesMax: number): Promise<Result<AccountView | null, StoreFailure>>;
  totals(): Promise<Result<LedgerTotals, StoreFailure>>;
  /** Outcomes in the order of their settlement, after a position. */
  outcomes(after: number, limit: number): Promise<Result<OutcomePage, StoreFailure>>;
  /** Checks I6 and I7 on every account and entry. Other work goes on meanwhile. */
  verify(): Promise<Result<readonly LedgerFault[], StoreFailure>>;
  /** Balance changes to tell the edge, oldest first, as they are now; empty when there are none. */
  queuedBalances(limit: number): Promise<Result<BalanceBatch, StoreFailure>>;
  /** The edge has them up to there. */
  balancesSent(upTo: number): Promise<Result<void, StoreFailure>>;
  close(): Promise<void>;
}
