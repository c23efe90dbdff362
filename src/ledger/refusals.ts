// Why the ledger does not do what it is asked: answers for a repeated id, and refusals before anything is changed.

import type { InvestorLine } from '../core/investor-lines.js';
import type { InvestmentMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { EXTERNAL, investorAccount, storedName } from './accounts.js';
import type { BooksTransaction } from './books-transaction.js';
import { type OutcomeRow, outcomeOf, type TransferRow } from './ledger-rows.js';
import type { Refusal, Settlement, TransferDone, TransferRequest } from './store.js';

/** The outcome that the id has already, unless it was given to another investment. */
export function sameInvestment(investment: InvestmentMessage, row: OutcomeRow): Settlement {
  const outcome = outcomeOf(row);
  for (const member of ['round', 'investor', 'amount', 'currency'] as const) {
    if (outcome[member] !== investment[member])
      return { kind: 'conflict', detail: `it was seen with another ${member}` };
  }
  return { kind: 'outcome', outcome, isReplay: true };
}

/** The transfer that the id has already made, unless it was another one. */
export function sameTransfer(request: TransferRequest, row: TransferRow): Result<TransferDone, Refusal> {
  const [from, to, amount, currency, atMs] = row;
  const isSame =
    request.from === from && request.to === to && request.amount === amount && request.currency === currency;
  if (!isSame)
    return err({ code: 'transfer-conflict', detail: 'This id was used before for another transfer.' });
  return ok({ at: new Date(atMs).toISOString(), isReplay: true });
}

/** Why the transfer cannot be made, or null. */
export function refusedTransfer(books: BooksTransaction, request: TransferRequest): Refusal | null {
  const { amount, currency } = request;
  for (const name of [request.from, request.to]) {
    const account = books.account(storedName(name, currency));
    // The escrow of a round may be filled before its first settlement; an investor's account has to be opened.
    if (account === null && (name.startsWith('investor:') || (name === request.from && name !== EXTERNAL))) {
      return { code: 'account-not-found', detail: `There is no account ${name}.` };
    }
    if (account !== null && account.currency !== currency) {
      return { code: 'currency-mismatch', detail: `Account ${name} is kept in ${account.currency}.` };
    }
  }
  if (request.from === EXTERNAL) {
    if (books.canHold(currency, amount)) return null;
    return { code: 'malformed-request', detail: 'The books cannot hold so much money.' };
  }
  if ((books.account(request.from)?.balance ?? 0) >= amount) return null;
  return {
    code: 'insufficient-balance',
    detail: `The balance of ${request.from} does not cover this amount.`,
  };
}

/** Why none of the accounts can be opened, or null. */
export function refusedLine(books: BooksTransaction, lines: readonly InvestorLine[]): Refusal | null {
  const sums = new Map<string, number>();
  const currencies = new Map<string, string>();
  for (const { investor, balance, currency } of lines) {
    const existing = books.account(investorAccount(investor));
    const kept = existing?.currency ?? currencies.get(investor) ?? currency;
    if (kept !== currency) {
      return { code: 'currency-mismatch', detail: `The account of ${investor} is kept in ${kept}.` };
    }
    const isNew = existing === null && !currencies.has(investor);
    currencies.set(investor, currency);
    const sum = (sums.get(currency) ?? 0) + (isNew ? balance : 0);
    sums.set(currency, sum);
    if (!Number.isSafeInteger(sum) || !books.canHold(currency, sum)) {
      return { code: 'malformed-request', detail: `The books cannot hold so much money in ${currency}.` };
    }
  }
  return null;
}
