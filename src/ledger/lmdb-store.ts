// The ledger's books in LMDB (see lmdb-dbs.ts for what is where). Every change is one synchronous transaction: it is
// on disk when the call returns, and a throw inside rolls all of it back.

import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { escrowAccount, investorAccount } from './accounts.js';
import { makeTransfer, openLines, settleOne } from './books.js';
import { type BooksReader, BooksTransaction, type Changes, type Decision } from './books-transaction.js';
import { type AccountRow, type EntryRow, type Meta, newMeta, outcomeOf, roundTotals } from './ledger-rows.js';
import { type LedgerDbs, openLedgerDbs } from './lmdb-dbs.js';
import { quickFaults, verifyBooks } from './lmdb-verify.js';
import type {
  AccountView,
  BalanceBatch,
  LedgerFault,
  LedgerStore,
  LedgerTotals,
  OpenedAccounts,
  OutcomePage,
  Refusal,
  Settlement,
  StoreFailure,
  TransferDone,
  TransferRequest,
} from './store.js';
import { FencedError, storeFailure } from './store-failure.js';

/** Opens the books, made when missing, and checks their sums; fails with a message for the operator. */
export function openLmdbLedgerStore(directory: string, nowMs: () => number): Result<LedgerStore, string> {
  let dbs: LedgerDbs;
  try {
    dbs = openLedgerDbs(directory);
  } catch (error) {
    return err(`cannot open the ledger in ${directory}: ${(error as Error).message}`);
  }
  const meta = dbs.meta.get('ledger') ?? newMeta();
  if (meta.format !== 1) return err(`the ledger in ${directory} has format ${String(meta.format)}, not 1`);
  const faults = quickFaults(dbs, meta);
  if (faults.length > 0) {
    const details = faults.map((fault) => `${fault.invariant}: ${fault.detail}`).join('; ');
    return err(`the ledger in ${directory} does not add up: ${details}`);
  }
  return ok(new LmdbLedgerStore(dbs, meta, nowMs));
}

class LmdbLedgerStore implements LedgerStore {
  readonly failed: Promise<StoreFailure>;
  readonly #dbs: LedgerDbs;
  readonly #reader: BooksReader;
  readonly #nowMs: () => number;
  #meta: Meta;
  #outboxTaken: number;
  /** The token that this process has claimed the books with; null: it needs none. */
  #token: number | null = null;
  #failure: Error | null = null;
  #reportFailure: ((failure: StoreFailure) => void) | null = null;

  constructor(dbs: LedgerDbs, meta: Meta, nowMs: () => number) {
    this.#dbs = dbs;
    this.#reader = readerOf(dbs);
    this.#meta = meta;
    this.#nowMs = nowMs;
    this.failed = new Promise((resolve) => {
      this.#reportFailure = resolve;
    });
    // Outbox rows are deleted in order, so every position before the first one left is done.
    const [first] = dbs.outbox.getKeys({ limit: 1 });
    this.#outboxTaken = (first ?? meta.nextOutbox) - 1;
  }

  async settle(group: readonly InvestmentMessage[]): Promise<Result<readonly Settlement[], StoreFailure>> {
    try {
      return ok(
        this.#change((books) => group.map((investment) => settleOne(books, investment, this.#nowMs))),
      );
    } catch (error) {
      return err(storeFailure(error));
    }
  }

  async fencingToken(): Promise<number> {
    return this.#dbs.meta.get('ledger')?.token ?? 0;
  }

  async claim(token: number): Promise<Result<void, StoreFailure>> {
    this.#token = token;
    try {
      this.#transaction(() => {
        this.#meta = { ...this.#meta, token };
        this.#dbs.meta.putSync('ledger', this.#meta);
      });
      return ok(undefined);
    } catch (error) {
      return err(storeFailure(error));
    }
  }

  async roundEpoch(round: string): Promise<number> {
    return this.#dbs.rounds.get(round)?.epoch ?? 0;
  }

  async openAccounts(lines: readonly InvestorLine[]): Promise<Result<OpenedAccounts, Refusal>> {
    return this.#change((books, atMs) => openLines(books, lines, atMs));
  }

  async transfer(request: TransferRequest): Promise<Result<TransferDone, Refusal>> {
    return this.#change((books, atMs) => makeTransfer(books, request, atMs));
  }

  async account(investor: string, entriesMax: number): Promise<Result<AccountView | null, never>> {
    const name = investorAccount(investor);
    const { accounts } = this.#dbs;
    const row = this.#reader.account(name);
    if (row === undefined) return ok(null);
    const [currency, balance, eligible, version] = row;
    const newest = accounts.getRange({
      start: [name, Number.POSITIVE_INFINITY],
      end: name,
      reverse: true,
      limit: entriesMax,
    });
    const entries = [...newest].map(({ value }) => {
      const [id, amount, after, counterparty, atMs] = value as EntryRow;
      return { id, amount, balance: after, counterparty, at: new Date(atMs).toISOString() };
    });
    return ok({ currency, balance, eligible: eligible === 1, version, entries });
  }

  async totals(): Promise<Result<LedgerTotals, never>> {
    const rounds = [...this.#dbs.rounds.getRange({})].map(({ key, value }) =>
      roundTotals(key, value, this.#reader.account(escrowAccount(key))),
    );
    const { totals, accounts, entries, nextOutcome } = this.#meta;
    let entriesSum = 0;
    for (const { investor, escrow, external } of Object.values(totals))
      entriesSum += investor + escrow + external;
    // Positions are dense and go in order, so nothing has to be counted.
    const [first] = this.#dbs.outbox.getKeys({ limit: 1 });
    const balancesQueued = first === undefined ? 0 : this.#meta.nextOutbox - first;
    return ok({ rounds, accounts, entries, outcomes: nextOutcome - 1, entriesSum, balancesQueued });
  }

  async outcomes(after: number, limit: number): Promise<Result<OutcomePage, never>> {
    const rows = [...this.#dbs.outcomes.getRange({ start: after + 1, limit: limit + 1 })];
    const shown = rows.slice(0, limit);
    return ok({
      outcomes: shown.map(({ value }) => outcomeOf(value)),
      next: shown.at(-1)?.key ?? after,
      more: rows.length > limit,
    });
  }

  async verify(): Promise<Result<readonly LedgerFault[], never>> {
    return ok(await verifyBooks(this.#dbs));
  }

  async queuedBalances(limit: number): Promise<Result<BalanceBatch, never>> {
    const rows = [...this.#dbs.outbox.getRange({ limit })];
    const upTo = rows.at(-1)?.key ?? 0;
    this.#outboxTaken = Math.max(this.#outboxTaken, upTo);
    const at = new Date(this.#nowMs()).toISOString();
    // The same investor twice would only say the same thing twice.
    const messages = [...new Set(rows.map((row) => row.value))].flatMap((investor) => {
      const row = this.#reader.account(investorAccount(investor));
      if (row === undefined) return [];
      const [currency, balance, eligible, version] = row;
      return [{ investor, currency, balance, eligible: eligible === 1, version, at }];
    });
    return ok({ messages, upTo });
  }

  async balancesSent(upTo: number): Promise<Result<void, never>> {
    const { outbox } = this.#dbs;
    this.#transaction(() => {
      for (const position of [...outbox.getKeys({ end: upTo + 1 })]) outbox.removeSync(position);
    });
    return ok(undefined);
  }

  async close(): Promise<void> {
    await this.#dbs.env.close();
  }

  /** One change of the books by their rules. */
  #change<T>(decide: (books: BooksTransaction, atMs: number) => T): T {
    let meta = this.#meta;
    const result = this.#transaction(() => {
      const context = { outboxTaken: this.#outboxTaken, checksEpochs: this.#token !== null };
      const books = new BooksTransaction(this.#reader, this.#meta, context);
      const decided = decide(books, this.#nowMs());
      const changes = books.changes();
      if (changes !== null) {
        write(this.#dbs, changes);
        meta = changes.meta;
      }
      return decided;
    });
    this.#meta = meta;
    return result;
  }

  /** After a failure nothing is tried again: the process ends and starts anew. */
  #transaction<T>(change: () => T): T {
    if (this.#failure !== null) throw this.#failure;
    try {
      return this.#dbs.env.transactionSync(() => {
        // Read anew: another process may have claimed the books since.
        const claimed = this.#dbs.meta.get('ledger')?.token ?? 0;
        if (this.#token !== null && claimed > this.#token) throw new FencedError(claimed, this.#token);
        return change();
      });
    } catch (error) {
      this.#failure = error as Error;
      this.#reportFailure?.(storeFailure(error));
      throw error;
    }
  }
}

function readerOf(dbs: LedgerDbs): BooksReader {
  const { accounts, outcomes, outcomeIds, transfers, rounds } = dbs;
  return {
    account: (name) => accounts.get(name) as AccountRow | undefined,
    round: (round) => rounds.get(round),
    decision: (id): Decision | undefined => {
      const position = outcomeIds.get(id);
      const outcome = position === undefined ? undefined : outcomes.get(position);
      if (outcome !== undefined) return { kind: 'investment', outcome };
      const transfer = transfers.get(id);
      return transfer === undefined ? undefined : { kind: 'transfer', transfer };
    },
  };
}

/** Sorted where it pays: a bulk of sorted keys costs a fraction of the same keys at random. */
function write(dbs: LedgerDbs, changes: Changes): void {
  for (const [name, row] of changes.accounts) dbs.accounts.putSync(name, row);
  for (const [name, version, row] of changes.entries) dbs.accounts.putSync([name, version], row);
  for (const [position, row] of changes.outcomes) {
    dbs.outcomes.putSync(position, row);
    dbs.outcomeIds.putSync(row[0], position);
  }
  for (const [id, row] of changes.transfers) dbs.transfers.putSync(id, row);
  for (const [round, row] of changes.rounds) dbs.rounds.putSync(round, row);
  for (const [position, investor] of changes.outbox) dbs.outbox.putSync(position, investor);
  dbs.meta.putSync('ledger', changes.meta);
}
