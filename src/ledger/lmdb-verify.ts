// The auditor of the ledger's books: I6 (entries sum to zero, escrow = what was settled) and I7 (no investor below
// zero), from the stored sums at every start, and from every single row on request.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { LEDGER_VERIFY_ROWS_PER_TURN } from '../core/limits.js';
import { escrowAccount, storedKind } from './accounts.js';
import { Faults } from './faults.js';
import {
  type AccountRow,
  accountOf,
  type EntryRow,
  type Meta,
  newMeta,
  outcomeOf,
  type RoundRow,
} from './ledger-rows.js';
import type { LedgerDbs } from './lmdb-dbs.js';
import type { LedgerFault } from './store.js';

/** What the stored sums alone can show. */
export function quickFaults(dbs: LedgerDbs, meta: Meta): readonly LedgerFault[] {
  const faults = new Faults();
  for (const [currency, totals] of Object.entries(meta.totals)) {
    const external = dbs.accounts.get(`external:${currency}`) as AccountRow | undefined;
    faults.sums(currency, totals, external?.[1] ?? 0);
  }
  for (const { key, value } of dbs.rounds.getRange({})) {
    const escrow = dbs.accounts.get(escrowAccount(key)) as AccountRow | undefined;
    faults.escrow(key, escrow?.[1] ?? 0, value);
  }
  return faults.all;
}

/** Reads every account, entry and outcome of one snapshot, a piece per event turn. */
export async function verifyBooks(dbs: LedgerDbs): Promise<readonly LedgerFault[]> {
  const snapshot = dbs.env.useReadTransaction();
  const piece = { limit: LEDGER_VERIFY_ROWS_PER_TURN, transaction: snapshot };
  try {
    const books = new BooksCheck();
    let from: { readonly start?: string | [string, number]; readonly exclusiveStart?: true } = {};
    for (let count = piece.limit; count === piece.limit; await nextTurn()) {
      count = 0;
      for (const { key, value } of dbs.accounts.getRange({ ...from, ...piece })) {
        if (typeof key === 'string') books.account(key, value as AccountRow);
        else books.entry(key, value as EntryRow);
        from = { start: key, exclusiveStart: true };
        count++;
      }
    }
    const settled = new Map<string, number>();
    let after = 0;
    for (let count = piece.limit; count === piece.limit; await nextTurn()) {
      count = 0;
      for (const { key, value } of dbs.outcomes.getRange({ start: after + 1, ...piece })) {
        const { state, round, amount } = outcomeOf(value);
        if (state === 'settled') settled.set(round, (settled.get(round) ?? 0) + amount);
        after = key;
        count++;
      }
    }
    const meta = dbs.meta.get('ledger', { transaction: snapshot }) ?? newMeta();
    const rounds = new Map<string, RoundRow>();
    for (const { key, value } of dbs.rounds.getRange({ transaction: snapshot })) rounds.set(key, value);
    return books.finish(meta, rounds, settled);
  } finally {
    snapshot.done();
  }
}

/** Fed with accounts, each followed by its entries, oldest first. */
class BooksCheck {
  readonly #faults = new Faults();
  readonly #sums = new Map<string, number>();
  readonly #escrows = new Map<string, number>();
  #name = '';
  #balance = 0;
  #currency = '';
  #running = 0;
  #entries = 0;
  #accounts = 0;

  account(name: string, row: AccountRow): void {
    this.#endAccount();
    const { balance, currency } = accountOf(row);
    this.#name = name;
    this.#balance = balance;
    this.#currency = currency;
    this.#running = 0;
    this.#accounts++;
    if (balance < 0 && storedKind(name) !== 'external') this.#faults.add('I7', `${name} has ${balance}`);
    if (storedKind(name) === 'escrow') this.#escrows.set(name, balance);
  }

  entry([name, version]: readonly [string, number], [id, amount, balance]: EntryRow): void {
    if (name !== this.#name) this.#faults.add('I6', `entry ${version} of ${name} has no account`);
    this.#running += amount;
    this.#entries++;
    if (this.#running !== balance)
      this.#faults.add('I6', `entry ${version} (${id}) of ${name} says ${balance}`);
    if (balance < 0 && storedKind(name) !== 'external')
      this.#faults.add('I7', `${name} had ${balance} after ${id}`);
  }

  finish(
    meta: Meta,
    rounds: ReadonlyMap<string, RoundRow>,
    settled: ReadonlyMap<string, number>,
  ): readonly LedgerFault[] {
    this.#endAccount();
    for (const [currency, sum] of this.#sums) {
      if (sum !== 0) this.#faults.add('I6', `all accounts in ${currency} sum to ${sum}`);
    }
    this.#faults.count('entries', this.#entries, meta.entries);
    this.#faults.count('accounts', this.#accounts, meta.accounts);
    for (const [round, row] of rounds) {
      this.#faults.escrow(round, this.#escrows.get(escrowAccount(round)) ?? 0, row);
      const sum = settled.get(round) ?? 0;
      if (sum !== row.settled)
        this.#faults.add('I6', `round ${round} has settled ${sum}, not ${row.settled}`);
    }
    return this.#faults.all;
  }

  #endAccount(): void {
    if (this.#name === '') return;
    if (this.#running !== this.#balance) {
      this.#faults.add(
        'I6',
        `the entries of ${this.#name} sum to ${this.#running}, its balance is ${this.#balance}`,
      );
    }
    this.#sums.set(this.#currency, (this.#sums.get(this.#currency) ?? 0) + this.#running);
  }
}
