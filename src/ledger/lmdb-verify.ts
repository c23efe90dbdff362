// The auditor of the ledger's books: I6 (entries sum to zero, escrow = what was settled) and I7 (no investor below
// zero), from the stored sums at every start, and from every single row on request.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { LEDGER_VERIFY_ROWS_PER_TURN } from '../core/limits.js';
import { escrowAccount, storedKind } from './accounts.js';
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

/** Faults named at most; the first ones say enough. */
const FAULTS_MAX = 100;

/** What the stored sums alone can show. */
export function quickFaults(dbs: LedgerDbs, meta: Meta): LedgerFault[] {
  const faults: LedgerFault[] = [];
  for (const [currency, totals] of Object.entries(meta.totals)) {
    const sum = totals.investor + totals.escrow + totals.external;
    if (sum !== 0) faults.push({ invariant: 'I6', detail: `all entries in ${currency} sum to ${sum}` });
    const external = dbs.accounts.get(`external:${currency}`) as AccountRow | undefined;
    if ((external?.[1] ?? 0) !== totals.external) {
      faults.push({ invariant: 'I6', detail: `external in ${currency} is not what the totals say` });
    }
  }
  for (const { key, value } of dbs.rounds.getRange({})) {
    const escrow = dbs.accounts.get(escrowAccount(key)) as AccountRow | undefined;
    escrowFault(faults, key, escrow?.[1] ?? 0, value);
  }
  return faults;
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
    return books.finish(meta, rounds, settled).slice(0, FAULTS_MAX);
  } finally {
    snapshot.done();
  }
}

/** Fed with accounts, each followed by its entries, oldest first. */
class BooksCheck {
  readonly #faults: LedgerFault[] = [];
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
    if (balance < 0 && storedKind(name) !== 'external') this.#fault('I7', `${name} has ${balance}`);
    if (storedKind(name) === 'escrow') this.#escrows.set(name, balance);
  }

  entry([name, version]: readonly [string, number], [id, amount, balance]: EntryRow): void {
    if (name !== this.#name) this.#fault('I6', `entry ${version} of ${name} has no account`);
    this.#running += amount;
    this.#entries++;
    if (this.#running !== balance) this.#fault('I6', `entry ${version} (${id}) of ${name} says ${balance}`);
    if (balance < 0 && storedKind(name) !== 'external')
      this.#fault('I7', `${name} had ${balance} after ${id}`);
  }

  finish(
    meta: Meta,
    rounds: ReadonlyMap<string, RoundRow>,
    settled: ReadonlyMap<string, number>,
  ): LedgerFault[] {
    this.#endAccount();
    for (const [currency, sum] of this.#sums) {
      if (sum !== 0) this.#fault('I6', `all accounts in ${currency} sum to ${sum}`);
    }
    if (meta.entries !== this.#entries)
      this.#fault('I6', `${this.#entries} entries where ${meta.entries} were written`);
    if (meta.accounts !== this.#accounts) {
      this.#fault('I6', `${this.#accounts} accounts where ${meta.accounts} were opened`);
    }
    for (const [round, row] of rounds) {
      escrowFault(this.#faults, round, this.#escrows.get(escrowAccount(round)) ?? 0, row);
      const sum = settled.get(round) ?? 0;
      if (sum !== row.settled) this.#fault('I6', `round ${round} has settled ${sum}, not ${row.settled}`);
    }
    return this.#faults;
  }

  #endAccount(): void {
    if (this.#name === '') return;
    if (this.#running !== this.#balance) {
      this.#fault(
        'I6',
        `the entries of ${this.#name} sum to ${this.#running}, its balance is ${this.#balance}`,
      );
    }
    this.#sums.set(this.#currency, (this.#sums.get(this.#currency) ?? 0) + this.#running);
  }

  #fault(invariant: LedgerFault['invariant'], detail: string): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ invariant, detail });
  }
}

function escrowFault(faults: LedgerFault[], round: string, escrow: number, row: RoundRow): void {
  const expected = row.settled + row.transferred;
  if (escrow === expected) return;
  const detail = `the escrow of ${round} has ${escrow}, but ${expected} was settled or transferred into it`;
  faults.push({ invariant: 'I6', detail });
}
