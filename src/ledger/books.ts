// The rules of the books, whatever stores them: what an investment, a transfer by hand and the opening of accounts do to
// the working set of a change. Pure: the time is passed in.

import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { EXTERNAL, escrowAccount, investorAccount, storedKind, storedName } from './accounts.js';
import type { BooksTransaction } from './books-transaction.js';
import { declineReason } from './decision.js';
import { noteDeclined, outcomeOf, outcomeRow } from './ledger-rows.js';
import { refusedLine, refusedTransfer, sameInvestment, sameTransfer } from './refusals.js';
import type { OpenedAccounts, Refusal, Settlement, TransferDone, TransferRequest } from './store.js';

/** Decides an investment and moves its money, or says what was decided before. */
export function settleOne(
  books: BooksTransaction,
  investment: InvestmentMessage,
  nowMs: () => number,
): Settlement {
  const newest = books.noteEpoch(investment.round, investment.epoch);
  if (investment.epoch < newest) return { kind: 'stale', epoch: newest };
  const earlier = books.decision(investment.id);
  if (earlier !== undefined) {
    if (earlier.kind === 'investment') return sameInvestment(investment, earlier.outcome);
    return { kind: 'conflict', detail: 'the id belongs to a transfer' };
  }
  const { id, amount, currency } = investment;
  const atMs = nowMs();
  const round = books.round(investment.round);
  round.cap = Math.max(round.cap, investment.cap);
  const name = investorAccount(investment.investor);
  const escrow = escrowAccount(investment.round);
  const account = books.account(name);
  const { cap, settled } = round;
  const escrowCurrency = books.account(escrow)?.currency ?? null;
  const reason = declineReason({ amount, currency, account, escrowCurrency, settled, cap });
  if (reason === null) {
    books.transfer(id, name, escrow, amount, currency, atMs);
    round.settled += amount;
    round.settledCount++;
  } else {
    noteDeclined(round, reason, amount);
  }
  const row = outcomeRow(investment, reason, account, atMs);
  books.addOutcome(row);
  return { kind: 'outcome', outcome: outcomeOf(row), isReplay: false };
}

/** Opens accounts, all or none; one that exists keeps its balance and may change its eligibility. */
export function openLines(
  books: BooksTransaction,
  lines: readonly InvestorLine[],
  atMs: number,
): Result<OpenedAccounts, Refusal> {
  const refusal = refusedLine(books, lines);
  if (refusal !== null) return err(refusal);
  let opened = 0;
  for (const { investor, currency, balance, eligible } of lines) {
    const name = investorAccount(investor);
    const existing = books.account(name);
    if (existing === null) {
      const account = books.open(name, currency, eligible);
      books.transfer('opening', storedName(EXTERNAL, currency), name, balance, currency, atMs);
      books.announce(name, account);
      opened++;
    } else if (existing.eligible !== eligible) {
      books.setEligible(name, existing, eligible);
      books.announce(name, existing);
    }
  }
  return ok({ opened, existing: lines.length - opened });
}

/** Makes a transfer by hand, once per id. */
export function makeTransfer(
  books: BooksTransaction,
  request: TransferRequest,
  atMs: number,
): Result<TransferDone, Refusal> {
  const { id, amount, currency } = request;
  const earlier = books.decision(id);
  if (earlier !== undefined) {
    if (earlier.kind === 'transfer') return sameTransfer(request, earlier.transfer);
    return err({ code: 'transfer-conflict', detail: 'This id belongs to an investment.' });
  }
  const refusal = refusedTransfer(books, request);
  if (refusal !== null) return err(refusal);
  const from = storedName(request.from, currency);
  const to = storedName(request.to, currency);
  books.transfer(id, from, to, amount, currency, atMs);
  for (const [name, signed] of [[from, -amount] as const, [to, amount] as const]) {
    const kind = storedKind(name);
    const account = books.account(name);
    if (kind === 'investor' && account !== null) books.announce(name, account);
    if (kind === 'escrow') books.round(name.slice('escrow:'.length)).transferred += signed;
  }
  books.addTransfer(id, [request.from, request.to, amount, currency, atMs]);
  return ok({ at: new Date(atMs).toISOString(), isReplay: false });
}
