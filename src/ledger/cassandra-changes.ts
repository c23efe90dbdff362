// Changes of the books in Cassandra, one after the other: what a decision needs is read, it is decided, offered to the
// log, and decided again when another process was first.

import { LEDGER_ROWS_BEHIND_MAX } from '../core/limits.js';
import type { Result } from '../core/result.js';
import { investorAccount } from './accounts.js';
import { type BooksReader, BooksTransaction, type Decision } from './books-transaction.js';
import type { Books } from './cassandra-books.js';
import type { LogChange } from './cassandra-change.js';
import type { TablesReader } from './cassandra-reader.js';
import type { BooksState } from './cassandra-state.js';
import type { TablesWriter } from './cassandra-tables-writer.js';
import { AwayError, type Turns } from './cassandra-turns.js';
import type { AccountRow } from './ledger-rows.js';
import type { StoreFailure } from './store.js';
import { FencedError } from './store-failure.js';

export interface BooksParts {
  readonly reader: TablesReader;
  readonly state: BooksState;
  readonly turns: Turns;
  readonly books: Books;
  readonly writer: TablesWriter;
  readonly nowMs: () => number;
}

/** Rows that a decision will look at. */
export interface Needs {
  readonly investors: readonly string[];
  readonly ids: readonly string[];
}

/** What was decided, and the change that makes it true; null: nothing has to change. */
export interface Decided<T> {
  readonly value: T;
  readonly change: LogChange | null;
}

export class BooksChanges {
  readonly #parts: BooksParts;
  /** The token that this process has claimed the books with; null: it needs none. */
  token: number | null = null;
  /** Outbox rows up to here are with the edge or done. */
  outboxTaken: number;

  constructor(parts: BooksParts) {
    this.#parts = parts;
    this.outboxTaken = parts.state.balancesSent;
  }

  /** A change by the rules of the books. */
  decide<T>(
    needs: Needs,
    decide: (books: BooksTransaction, atMs: number) => T,
  ): Promise<Result<T, StoreFailure>> {
    const { state, nowMs } = this.#parts;
    return this.change(async () => {
      const reader = await this.#booksFor(needs);
      const context = { outboxTaken: this.outboxTaken, checksEpochs: this.token !== null };
      const books = new BooksTransaction(reader, state.meta, context);
      const value = decide(books, nowMs());
      const changes = books.changes();
      return { value, change: changes === null ? null : { ...changes, balancesSent: state.balancesSent } };
    });
  }

  /** Makes a change, decided anew each time that another process was first. It resolves when the change is durable. */
  change<T>(decide: () => Promise<Decided<T>>): Promise<Result<T, StoreFailure>> {
    const { turns, books, writer } = this.#parts;
    /** What is true if the change that has been offered turns out to be made. */
    let offered: { readonly value: T } | null = null;
    return turns.run(async (deadlineMs) => {
      // Ends when its position is taken: by this change, or at the deadline by a throw of `ready`.
      for (;;) {
        if (offered === null) {
          await this.ready(deadlineMs);
          const { value, change } = await decide();
          if (change === null) return value;
          books.offer(change);
          offered = { value };
        }
        const { value } = offered;
        if (await books.resume()) {
          writer.kick();
          return value;
        }
        offered = null;
        if (performance.now() >= deadlineMs) throw new AwayError('other processes change the books');
      }
    });
  }

  /** The whole log is applied, nothing is unknown, nobody else has claimed the books, the tables are not too far behind. */
  async ready(deadlineMs: number): Promise<void> {
    const { books, state, writer } = this.#parts;
    await books.ready();
    const claimed = state.meta.token ?? 0;
    if (this.token !== null && claimed > this.token) throw new FencedError(claimed, this.token);
    if (await writer.until(() => state.rowsBehind <= LEDGER_ROWS_BEHIND_MAX, deadlineMs)) return;
    throw new AwayError(writer.problem ?? 'the tables are behind the log');
  }

  /** The tables have everything that has happened so far. */
  async inTables(deadlineMs: number): Promise<void> {
    const { state, writer } = this.#parts;
    const { position } = state;
    if (await writer.until(() => state.inTables >= position, deadlineMs)) return;
    throw new AwayError(writer.problem ?? 'the tables are behind the log');
  }

  /** Accounts of investors by stored name, as they are now. */
  async accounts(investors: readonly string[]): Promise<ReadonlyMap<string, AccountRow>> {
    const { state, reader } = this.#parts;
    const found = new Map<string, AccountRow>();
    const unknown: string[] = [];
    for (const name of new Set(investors.map(investorAccount))) {
      const row = state.account(name);
      if (row === null) unknown.push(name);
      else if (row !== undefined) found.set(name, row);
    }
    for (const [name, row] of await reader.accounts(unknown)) {
      state.cache(name, row);
      found.set(name, row);
    }
    return found;
  }

  /**
   * The books as one decision sees them. What is in memory is taken before anything is waited for: meanwhile it may go
   * into the tables and leave memory, and would be found in neither.
   */
  async #booksFor({ investors, ids }: Needs): Promise<BooksReader> {
    const { state, reader } = this.#parts;
    const decisions = new Map<string, Decision>();
    const unknown: string[] = [];
    for (const id of new Set(ids)) {
      const decision = state.recentDecision(id);
      if (decision === undefined) unknown.push(id);
      else decisions.set(id, decision);
    }
    const [accounts, older] = await Promise.all([this.accounts(investors), reader.decisions(unknown)]);
    for (const [id, decision] of older) decisions.set(id, decision);
    return {
      account: (name) => accounts.get(name) ?? state.account(name) ?? undefined,
      decision: (id) => decisions.get(id),
      round: (round) => state.round(round),
    };
  }
}
