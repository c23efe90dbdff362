// What auditors of the ledger's books find, whatever stores them: gathered up to a bound, and the checks that they share.

import type { CurrencyTotals, RoundRow } from './ledger-rows.js';
import type { LedgerFault } from './store.js';

/** Faults named at most; the first ones say enough. */
const FAULTS_MAX = 100;

export class Faults {
  readonly #faults: LedgerFault[] = [];

  get all(): readonly LedgerFault[] {
    return this.#faults;
  }

  add(invariant: LedgerFault['invariant'], detail: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ invariant, detail });
  }

  /** All entries of a currency sum to zero, and the outside world has what the sums say. */
  sums(currency: string, totals: CurrencyTotals, external: number): void {
    const sum = totals.investor + totals.escrow + totals.external;
    if (sum !== 0) this.add('I6', `all entries in ${currency} sum to ${sum}`);
    if (external !== totals.external) this.add('I6', `external in ${currency} is not what the totals say`);
  }

  /** A round's escrow is what was settled and transferred into it. */
  escrow(round: string, escrow: number, row: RoundRow): void {
    const expected = row.settled + row.transferred;
    if (escrow === expected) return;
    this.add(
      'I6',
      `the escrow of ${round} has ${escrow}, but ${expected} was settled or transferred into it`,
    );
  }

  /** `found` rows where the books have counted `counted`. */
  count(what: string, found: number, counted: number): void {
    if (found !== counted) this.add('I6', `${found} ${what} where there should be ${counted}`);
  }
}
