// The working set of one change of the books, whatever stores them: rows are read once, changed in memory by double
// entry, and come out as the rows to write. Pure: nothing is changed for anybody else before the store has written
// all of them, at once.

import { assert } from '../core/assert.js';
import { shownName, storedKind } from './accounts.js';
import {
  type Account,
  type AccountRow,
  accountOf,
  accountRow,
  copyOfMeta,
  copyOfRound,
  type EntryRow,
  type Meta,
  newRound,
  type OutcomeRow,
  type RoundRow,
  type TransferRow,
} from './ledger-rows.js';

/** What an id has been used for. */
export type Decision =
  | { readonly kind: 'investment'; readonly outcome: OutcomeRow }
  | { readonly kind: 'transfer'; readonly transfer: TransferRow };

/** The books before the change; rows that it gives are not changed. */
export interface BooksReader {
  /** By stored name. */
  account(name: string): AccountRow | undefined;
  decision(id: string): Decision | undefined;
  round(round: string): RoundRow | undefined;
}

/** What the books' process knows besides its rows. */
export interface BooksContext {
  /** Outbox rows up to here are with the edge or done: a change now needs a new one. */
  readonly outboxTaken: number;
  /** True when the books have been claimed: then epochs of rounds count. */
  readonly checksEpochs: boolean;
}

/** Every row that a change makes or replaces. Accounts and entries are sorted by their key. */
export interface Changes {
  readonly accounts: readonly (readonly [name: string, row: AccountRow])[];
  readonly entries: readonly (readonly [name: string, version: number, row: EntryRow])[];
  readonly outcomes: readonly (readonly [position: number, row: OutcomeRow])[];
  readonly transfers: readonly (readonly [id: string, row: TransferRow])[];
  readonly rounds: readonly (readonly [round: string, row: RoundRow])[];
  /** Investors whose balance the edge has yet to hear, by their place in the balance outbox. */
  readonly outbox: readonly (readonly [position: number, investor: string])[];
  /** As it is after the change. */
  readonly meta: Meta;
}

export class BooksTransaction {
  readonly #reader: BooksReader;
  readonly #meta: Meta;
  readonly #outboxTaken: number;
  readonly #accounts = new Map<string, Account | null>();
  readonly #changed = new Set<string>();
  readonly #entries: (readonly [name: string, version: number, row: EntryRow])[] = [];
  /** Epochs of rounds are checked. */
  readonly #checksEpochs: boolean;
  readonly #rounds = new Map<string, RoundRow>();
  /** The highest epoch of each round that has been looked at. */
  readonly #epochs = new Map<string, number>();
  readonly #decisions = new Map<string, Decision>();
  readonly #outcomes: (readonly [position: number, row: OutcomeRow])[] = [];
  readonly #transfers: (readonly [id: string, row: TransferRow])[] = [];
  readonly #outbox: (readonly [position: number, investor: string])[] = [];

  constructor(reader: BooksReader, meta: Meta, context: BooksContext) {
    this.#reader = reader;
    this.#meta = copyOfMeta(meta);
    this.#outboxTaken = context.outboxTaken;
    this.#checksEpochs = context.checksEpochs;
  }

  /** The account as this change sees it; null when there is none. */
  account(name: string): Account | null {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const row = this.#reader.account(name);
    const account = row === undefined ? null : accountOf(row);
    this.#accounts.set(name, account);
    return account;
  }

  /** What the id was used for before, by this change too. */
  decision(id: string): Decision | undefined {
    return this.#decisions.get(id) ?? this.#reader.decision(id);
  }

  /** The highest epoch of the round, this one included; it stays so. `epoch` itself when epochs do not count. */
  noteEpoch(round: string, epoch: number): number {
    if (!this.#checksEpochs) return epoch;
    const seen = this.#epochs.get(round) ?? this.#reader.round(round)?.epoch ?? 0;
    if (epoch > seen) this.round(round).epoch = epoch;
    const newest = Math.max(seen, epoch);
    this.#epochs.set(round, newest);
    return newest;
  }

  /** The round's row, to be changed in place; an empty one when the round is new. */
  round(round: string): RoundRow {
    const known = this.#rounds.get(round);
    if (known !== undefined) return known;
    const row = this.#reader.round(round);
    const copy = row === undefined ? newRound() : copyOfRound(row);
    this.#rounds.set(round, copy);
    return copy;
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
    this.#outbox.push([account.outboxPosition, name.slice('investor:'.length)]);
  }

  /** Remembers what became of an investment, for ever. */
  addOutcome(row: OutcomeRow): void {
    this.#decisions.set(row[0], { kind: 'investment', outcome: row });
    this.#outcomes.push([this.#meta.nextOutcome++, row]);
  }

  /** Remembers a transfer made by hand, for ever. */
  addTransfer(id: string, row: TransferRow): void {
    this.#decisions.set(id, { kind: 'transfer', transfer: row });
    this.#transfers.push([id, row]);
  }

  /** Everything to write; the last call. Null when nothing has changed. */
  changes(): Changes | null {
    if (this.#changed.size === 0 && this.#rounds.size === 0) return null;
    return {
      accounts: [...this.#changed].sort().map((name) => {
        const account = this.#accounts.get(name);
        assert(account !== null && account !== undefined, 'a changed account is in the working set');
        return [name, accountRow(account)];
      }),
      entries: this.#entries.sort(compareEntries),
      outcomes: this.#outcomes,
      transfers: this.#transfers,
      rounds: [...this.#rounds],
      outbox: this.#outbox,
      meta: this.#meta,
    };
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
    this.#entries.push([name, account.version, [id, amount, account.balance, shownName(other), atMs]]);
    this.#meta.entries++;
    this.#meta.totals[currency] ??= { investor: 0, escrow: 0, external: 0 };
    this.#meta.totals[currency][kind] += amount;
  }
}

function compareEntries(
  a: readonly [string, number, EntryRow],
  b: readonly [string, number, EntryRow],
): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1];
}
