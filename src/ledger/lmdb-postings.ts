// The working set of one write transaction of the ledger: accounts are read once, changed in memory by double entry,
// and written back sorted, because a bulk of sorted keys costs a fraction of the same keys at random.

import type { Database } from 'lmdb';
import { assert } from '../core/assert.js';
import { shownName, storedKind } from './accounts.js';
import {
  type Account,
  type AccountRow,
  accountOf,
  accountRow,
  type EntryRow,
  type Meta,
} from './ledger-rows.js';

/** Account rows under their name, and the account's entries right behind it under [name, version]. */
export type AccountsDb = Database<AccountRow | EntryRow, string | [string, number]>;

export class Postings {
  readonly #db: AccountsDb;
  readonly #outbox: Database<string, number>;
  readonly #meta: Meta;
  /** Outbox rows up to here are with the edge or done: a change now needs a new one. */
  readonly #outboxTaken: number;
  readonly #accounts = new Map<string, Account | null>();
  readonly #changed = new Set<string>();
  readonly #entries: { readonly key: [string, number]; readonly row: EntryRow }[] = [];

  constructor(db: AccountsDb, outbox: Database<string, number>, meta: Meta, outboxTaken: number) {
    this.#db = db;
    this.#outbox = outbox;
    this.#meta = meta;
    this.#outboxTaken = outboxTaken;
  }

  /** The account as this transaction sees it; null when there is none. */
  account(name: string): Account | null {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const row = this.#db.get(name) as AccountRow | undefined;
    const account = row === undefined ? null : accountOf(row);
    this.#accounts.set(name, account);
    return account;
  }

  /** Opens an account without a balance; the entry that opens it follows. */
  open(name: string, currency: string, eligible: boolean): Account {
    assert(this.account(name) === null, 'an account is opened once');
    const account: Account = { currency, balance: 0, eligible, version: 0, outboxPosition: 0 };
    this.#accounts.set(name, account);
    this.#meta.accounts++;
    return account;
  }

  /** True when the books can hold so much more: no sum may leave the range of exact integers. */
  canHold(currency: string, amount: number): boolean {
    const totals = this.#meta.totals[currency];
    // No account but the outside is below zero, so what the outside has given bounds every other sum.
    return totals === undefined || amount <= Number.MAX_SAFE_INTEGER + totals.external;
  }

  /** One transfer: two entries that sum to zero. The caller has made every check. */
  transfer(id: string, from: string, to: string, amount: number, currency: string, atMs: number): void {
    assert(
      Number.isSafeInteger(amount) && amount >= 0 && from !== to,
      'a transfer moves money between two accounts',
    );
    this.#leg(id, from, -amount, to, currency, atMs);
    this.#leg(id, to, amount, from, currency, atMs);
  }

  /** Changes an account's eligibility. */
  setEligible(name: string, account: Account, eligible: boolean): void {
    account.eligible = eligible;
    account.version++;
    this.#changed.add(name);
  }

  /** The edge has to hear of this investor's account in a message of its own. */
  announce(name: string, account: Account): void {
    if (account.outboxPosition > this.#outboxTaken) return;
    account.outboxPosition = this.#meta.nextOutbox++;
    this.#changed.add(name);
    this.#outbox.putSync(account.outboxPosition, name.slice('investor:'.length));
  }

  /** Writes everything; the last call of a transaction. */
  flush(): void {
    for (const name of [...this.#changed].sort()) {
      const account = this.#accounts.get(name);
      assert(account !== null && account !== undefined, 'a changed account is in the working set');
      this.#db.putSync(name, accountRow(account));
    }
    for (const { key, row } of this.#entries.sort((a, b) => compareKeys(a.key, b.key)))
      this.#db.putSync(key, row);
  }

  #leg(id: string, name: string, amount: number, other: string, currency: string, atMs: number): void {
    const kind = storedKind(name);
    assert(
      kind !== 'investor' || this.account(name) !== null,
      'an investor has an account before money moves',
    );
    const account = this.account(name) ?? this.open(name, currency, false);
    assert(account.currency === currency, 'money moves between accounts of one currency');
    account.balance += amount;
    assert(kind === 'external' || account.balance >= 0, 'only the outside world is below zero');
    account.version++;
    this.#changed.add(name);
    const row: EntryRow = [id, amount, account.balance, shownName(other), atMs];
    this.#entries.push({ key: [name, account.version], row });
    this.#meta.entries++;
    this.#meta.totals[currency] ??= { investor: 0, escrow: 0, external: 0 };
    this.#meta.totals[currency][kind] += amount;
  }
}

function compareKeys(a: readonly [string, number], b: readonly [string, number]): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1];
}
