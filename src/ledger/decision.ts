// The ledger's final check of an accepted investment against its own truth. Pure; the first reason that holds is
// the answer, in this order:
//
//   1 not-eligible        there is no such account, or it may not invest
//   2 insufficient-funds  the account or the round's escrow has another currency, or the balance is too small
//   3 cap-exceeded        the round would hold more than its cap

import type { DeclineReason } from '../core/messages.js';

export interface DecisionFacts {
  readonly amount: number;
  readonly currency: string;
  /** The investor's account; null when there is none. */
  readonly account: {
    readonly currency: string;
    readonly balance: number;
    readonly eligible: boolean;
  } | null;
  /** Of the round's escrow; null before its first settlement. */
  readonly escrowCurrency: string | null;
  /** What the round has settled so far. */
  readonly settled: number;
  /** The largest cap that the ledger has seen for the round: a cap is only ever raised. */
  readonly cap: number;
}

/** Null: settle it. */
export function declineReason(facts: DecisionFacts): DeclineReason | null {
  const { account, amount, currency } = facts;
  if (account === null || !account.eligible) return 'not-eligible';
  if (account.currency !== currency) return 'insufficient-funds';
  if (facts.escrowCurrency !== null && facts.escrowCurrency !== currency) return 'insufficient-funds';
  if (account.balance < amount) return 'insufficient-funds';
  // Subtracted, not added: a sum could leave the range of exact integers.
  if (amount > facts.cap - facts.settled) return 'cap-exceeded';
  return null;
}
