// What the ledger's process holds in memory of its books in Cassandra: the sums, the rounds, the accounts that everybody
// uses, and every row that the log has and the tables may not have yet.

import { LEDGER_ACCOUNTS_CACHED_MAX } from '../core/limits.js';
import { storedKind } from './accounts.js';
import type { Decision } from './books-transaction.js';
import { type LogChange, rowsOf, type TablesState } from './cassandra-change.js';
import { type AccountRow, type Meta, newMeta, type RoundRow } from './ledger-rows.js';

/** A change with its place in the log. */
export interface Applied {
  readonly position: number;
  readonly change: LogChange;
}

export class BooksState {
  meta: Meta = newMeta();
  /** The edge has heard of the balances up to this place in the outbox. */
  balancesSent = 0;
  /** Of the last change applied, in the log; 0 before the first. */
  position = 0;
  /** Of the last change that the tables have. */
  inTables = 0;
  rowsBehind = 0;
  /** Changes that the tables may not have, oldest first. */
  #behind: Applied[] = [];
  readonly #rounds = new Map<string, RoundRow>();
  /** Escrows and the outside world: all of them, for every change needs one. */
  readonly #system = new Map<string, AccountRow>();
  readonly #recentAccounts = new Map<string, AccountRow>();
  readonly #recentDecisions = new Map<string, Decision>();
  /** Accounts as the tables have them, the least recently used first. */
  readonly #cached = new Map<string, AccountRow>();

  /** Begins where the tables are. */
  restore(
    position: number,
    { meta, balancesSent }: TablesState,
    rounds: ReadonlyMap<string, RoundRow>,
  ): void {
    this.position = position;
    this.inTables = position;
    this.meta = meta;
    this.balancesSent = balancesSent;
    for (const [round, row] of rounds) this.#rounds.set(round, row);
  }

  /** Takes an escrow's or an outside account from the tables. */
  restoreSystem(name: string, row: AccountRow): void {
    this.#system.set(name, row);
  }

  /** The change at this position of the log has happened. */
  apply(position: number, change: LogChange): void {
    for (const [name, row] of change.accounts) {
      if (storedKind(name) === 'investor') this.#recentAccounts.set(name, row);
      else this.#system.set(name, row);
    }
    for (const [, outcome] of change.outcomes)
      this.#recentDecisions.set(outcome[0], { kind: 'investment', outcome });
    for (const [id, transfer] of change.transfers)
      this.#recentDecisions.set(id, { kind: 'transfer', transfer });
    for (const [round, row] of change.rounds) this.#rounds.set(round, row);
    this.meta = change.meta;
    this.balancesSent = change.balancesSent;
    this.position = position;
    this.rowsBehind += rowsOf(change);
    this.#behind.push({ position, change });
  }

  /** The oldest changes that the tables may not have, of about so many rows. */
  nextBehind(rowsMax: number): readonly Applied[] {
    let rows = 0;
    let count = 0;
    for (const { change } of this.#behind) {
      rows += rowsOf(change);
      if (count > 0 && rows > rowsMax) break;
      count++;
    }
    return this.#behind.slice(0, count);
  }

  /** The tables have everything up to this position. */
  tablesHave(position: number): void {
    const done = this.#behind.filter((each) => each.position <= position);
    this.#behind = this.#behind.slice(done.length);
    for (const { change } of done) {
      this.rowsBehind -= rowsOf(change);
      for (const [name, row] of change.accounts) {
        // Unless a later change has another one.
        if (this.#recentAccounts.get(name) !== row) continue;
        this.#recentAccounts.delete(name);
        this.cache(name, row);
      }
      for (const [, outcome] of change.outcomes) this.#recentDecisions.delete(outcome[0]);
      for (const [id] of change.transfers) this.#recentDecisions.delete(id);
    }
    this.inTables = position;
  }

  /** Keeps an account that was read from the tables, or written to them. */
  cache(name: string, row: AccountRow): void {
    this.#cached.delete(name);
    this.#cached.set(name, row);
    if (this.#cached.size <= LEDGER_ACCOUNTS_CACHED_MAX) return;
    const [oldest] = this.#cached.keys();
    if (oldest !== undefined) this.#cached.delete(oldest);
  }

  /** The account, undefined when there is none, or null when only the tables can say. */
  account(name: string): AccountRow | undefined | null {
    if (storedKind(name) !== 'investor') return this.#system.get(name);
    const recent = this.#recentAccounts.get(name);
    if (recent !== undefined) return recent;
    const cached = this.#cached.get(name);
    if (cached === undefined) return null;
    this.cache(name, cached);
    return cached;
  }

  /** What the id was used for, if that is newer than the tables. */
  recentDecision(id: string): Decision | undefined {
    return this.#recentDecisions.get(id);
  }

  round(round: string): RoundRow | undefined {
    return this.#rounds.get(round);
  }

  /** All rounds, by name. */
  rounds(): readonly (readonly [string, RoundRow])[] {
    return [...this.#rounds].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}
