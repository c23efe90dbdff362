// The ledger's books in LMDB (see lmdb-dbs.ts for what is where). Every change is one synchronous transaction: it is
// on disk when the call returns, and a throw inside rolls all of it back.

import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { EXTERNAL, escrowAccount, investorAccount, storedKind, storedName } from './accounts.js';
import { declineReason } from './decision.js';
import {
  type AccountRow,
  type EntryRow,
  type Meta,
  newMeta,
  newRound,
  noteDeclined,
  outcomeOf,
  outcomeRow,
  roundTotals,
} from './ledger-rows.js';
import { type LedgerDbs, openLedgerDbs } from './lmdb-dbs.js';
import { Postings } from './lmdb-postings.js';
import { quickFaults, verifyBooks } from './lmdb-verify.js';
import { refusedLine, refusedTransfer, sameInvestment, sameTransfer } from './refusals.js';
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
  readonly #meta: Meta;
  readonly #nowMs: () => number;
  #outboxTaken: number;
  /** The token that this process has claimed the books with; null: it needs none. */
  #token: number | null = null;
  #failure: Error | null = null;
  #reportFailure: ((failure: StoreFailure) => void) | null = null;

  constructor(dbs: LedgerDbs, meta: Meta, nowMs: () => number) {
    this.#dbs = dbs;
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
        this.#transaction((postings) => group.map((investment) => this.#settleOne(postings, investment))),
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
    this.#meta.token = token;
    try {
      return ok(this.#transaction(() => undefined));
    } catch (error) {
      return err(storeFailure(error));
    }
  }

  async roundEpoch(round: string): Promise<number> {
    return this.#dbs.rounds.get(round)?.epoch ?? 0;
  }

  async openAccounts(lines: readonly InvestorLine[]): Promise<Result<OpenedAccounts, Refusal>> {
    return this.#transaction((postings, atMs) => {
      const refusal = refusedLine(postings, lines);
      if (refusal !== null) return err(refusal);
      let opened = 0;
      for (const line of lines) {
        const name = investorAccount(line.investor);
        const existing = postings.account(name);
        if (existing === null) {
          const account = postings.open(name, line.currency, line.eligible);
          postings.transfer(
            'opening',
            storedName(EXTERNAL, line.currency),
            name,
            line.balance,
            line.currency,
            atMs,
          );
          postings.announce(name, account);
          opened++;
        } else if (existing.eligible !== line.eligible) {
          postings.setEligible(name, existing, line.eligible);
          postings.announce(name, existing);
        }
      }
      return ok({ opened, existing: lines.length - opened });
    });
  }

  async transfer(request: TransferRequest): Promise<Result<TransferDone, Refusal>> {
    const { id, amount, currency } = request;
    const earlier = this.#dbs.transfers.get(id);
    if (earlier !== undefined) return sameTransfer(request, earlier);
    if (this.#dbs.outcomeIds.get(id) !== undefined) {
      return err({ code: 'transfer-conflict', detail: 'This id belongs to an investment.' });
    }
    return this.#transaction((postings, atMs) => {
      const refusal = refusedTransfer(postings, request);
      if (refusal !== null) return err(refusal);
      const from = storedName(request.from, currency);
      const to = storedName(request.to, currency);
      postings.transfer(id, from, to, amount, currency, atMs);
      for (const [name, signed] of [[from, -amount] as const, [to, amount] as const]) {
        const kind = storedKind(name);
        const account = postings.account(name);
        if (kind === 'investor' && account !== null) postings.announce(name, account);
        if (kind === 'escrow') this.#noteTransferred(name.slice('escrow:'.length), signed);
      }
      this.#dbs.transfers.putSync(id, [request.from, request.to, amount, currency, atMs]);
      return ok({ at: new Date(atMs).toISOString(), isReplay: false });
    });
  }

  async account(investor: string, entriesMax: number): Promise<AccountView | null> {
    const name = investorAccount(investor);
    const { accounts } = this.#dbs;
    const row = accounts.get(name) as AccountRow | undefined;
    if (row === undefined) return null;
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
    return { currency, balance, eligible: eligible === 1, version, entries };
  }

  async totals(): Promise<LedgerTotals> {
    const rounds = [...this.#dbs.rounds.getRange({})].map(({ key, value }) =>
      roundTotals(key, value, this.#dbs.accounts.get(escrowAccount(key)) as AccountRow | undefined),
    );
    const { totals, accounts, entries, nextOutcome } = this.#meta;
    let entriesSum = 0;
    for (const { investor, escrow, external } of Object.values(totals))
      entriesSum += investor + escrow + external;
    // Positions are dense and go in order, so nothing has to be counted.
    const [first] = this.#dbs.outbox.getKeys({ limit: 1 });
    const balancesQueued = first === undefined ? 0 : this.#meta.nextOutbox - first;
    return { rounds, accounts, entries, outcomes: nextOutcome - 1, entriesSum, balancesQueued };
  }

  async outcomes(after: number, limit: number): Promise<OutcomePage> {
    const rows = [...this.#dbs.outcomes.getRange({ start: after + 1, limit: limit + 1 })];
    const shown = rows.slice(0, limit);
    return {
      outcomes: shown.map(({ value }) => outcomeOf(value)),
      next: shown.at(-1)?.key ?? after,
      more: rows.length > limit,
    };
  }

  verify(): Promise<readonly LedgerFault[]> {
    return verifyBooks(this.#dbs);
  }

  async queuedBalances(limit: number): Promise<BalanceBatch> {
    const rows = [...this.#dbs.outbox.getRange({ limit })];
    const upTo = rows.at(-1)?.key ?? 0;
    this.#outboxTaken = Math.max(this.#outboxTaken, upTo);
    const at = new Date(this.#nowMs()).toISOString();
    // The same investor twice would only say the same thing twice.
    const messages = [...new Set(rows.map((row) => row.value))].flatMap((investor) => {
      const row = this.#dbs.accounts.get(investorAccount(investor)) as AccountRow | undefined;
      if (row === undefined) return [];
      const [currency, balance, eligible, version] = row;
      return [{ investor, currency, balance, eligible: eligible === 1, version, at }];
    });
    return { messages, upTo };
  }

  async balancesSent(upTo: number): Promise<void> {
    const { outbox } = this.#dbs;
    this.#transaction(() => {
      for (const position of [...outbox.getKeys({ end: upTo + 1 })]) outbox.removeSync(position);
    });
  }

  async close(): Promise<void> {
    await this.#dbs.env.close();
  }

  /** One durable change of the books. After a failure nothing is tried again: the process ends and starts anew. */
  #transaction<T>(change: (postings: Postings, atMs: number) => T): T {
    if (this.#failure !== null) throw this.#failure;
    const { env, accounts, outbox, meta } = this.#dbs;
    try {
      return env.transactionSync(() => {
        // Read anew: another process may have claimed the books since.
        const claimed = meta.get('ledger')?.token ?? 0;
        if (this.#token !== null && claimed > this.#token) throw new FencedError(claimed, this.#token);
        const postings = new Postings(accounts, outbox, this.#meta, this.#outboxTaken);
        const result = change(postings, this.#nowMs());
        postings.flush();
        meta.putSync('ledger', this.#meta);
        return result;
      });
    } catch (error) {
      this.#failure = error as Error;
      this.#reportFailure?.(storeFailure(error));
      throw error;
    }
  }

  #settleOne(postings: Postings, investment: InvestmentMessage): Settlement {
    const { outcomes, outcomeIds, transfers, rounds } = this.#dbs;
    const round = rounds.get(investment.round) ?? newRound();
    if (this.#token !== null) {
      const seen = round.epoch ?? 0;
      if (investment.epoch < seen) return { kind: 'stale', epoch: seen };
      round.epoch = investment.epoch;
      if (investment.epoch > seen) rounds.putSync(investment.round, round);
    }
    const earlier = outcomeIds.get(investment.id);
    if (earlier !== undefined) return sameInvestment(investment, outcomes.get(earlier));
    if (transfers.get(investment.id) !== undefined)
      return { kind: 'conflict', detail: 'the id belongs to a transfer' };

    const { id, amount, currency } = investment;
    const atMs = this.#nowMs();
    round.cap = Math.max(round.cap, investment.cap);
    const name = investorAccount(investment.investor);
    const escrow = escrowAccount(investment.round);
    const account = postings.account(name);
    const { cap, settled } = round;
    const escrowCurrency = postings.account(escrow)?.currency ?? null;
    const reason = declineReason({ amount, currency, account, escrowCurrency, settled, cap });
    if (reason === null) {
      postings.transfer(id, name, escrow, amount, currency, atMs);
      round.settled += amount;
      round.settledCount++;
    } else {
      noteDeclined(round, reason, amount);
    }
    rounds.putSync(investment.round, round);
    const row = outcomeRow(investment, reason, account, atMs);
    const position = this.#meta.nextOutcome++;
    outcomes.putSync(position, row);
    outcomeIds.putSync(id, position);
    return { kind: 'outcome', outcome: outcomeOf(row), isReplay: false };
  }

  #noteTransferred(round: string, signed: number): void {
    const row = this.#dbs.rounds.get(round) ?? newRound();
    row.transferred += signed;
    this.#dbs.rounds.putSync(round, row);
  }
}
