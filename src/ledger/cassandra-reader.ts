// Readings of the tables of the ledger in Cassandra.

import type { types } from 'cassandra-driver';
import { LEDGER_CQL_IN_MAX, LEDGER_POSITION_BUCKET_ROWS } from '../core/limits.js';
import type { OutcomeMessage } from '../core/messages.js';
import { investorAccount } from './accounts.js';
import type { Decision } from './books-transaction.js';
import { decodeOutcome, decodeState, type TablesState } from './cassandra-change.js';
import { type Cql, exact, inFlight } from './cassandra-cql.js';
import {
  accountRowOf,
  decisionOf,
  entryRowOf,
  partOf,
  positionBucket,
  prefixOf,
  roundRowOf,
  STATE_NAME,
} from './cassandra-tables.js';
import { type AccountRow, outcomeOf, type RoundRow } from './ledger-rows.js';
import type { AccountView, EntryView } from './store.js';

const ACCOUNT_COLUMNS = 'account, currency, balance, eligible, account_version, outbox';
const ENTRY_COLUMNS = 'version, id, amount, balance_after, counterparty, at';

const STATE = 'SELECT position, body FROM ledger_state WHERE name = ?';
const ROUNDS =
  'SELECT round, cap, settled, settled_count, declined, declined_count, transferred, epoch FROM ledger_rounds';
const ACCOUNTS = `SELECT DISTINCT account, part, ${ACCOUNT_COLUMNS.slice('account, '.length)}
  FROM ledger_accounts WHERE account IN ? AND part = 0`;
const ACCOUNT = `SELECT ${ACCOUNT_COLUMNS}, ${ENTRY_COLUMNS} FROM ledger_accounts WHERE account = ? AND part = ? LIMIT ?`;
const DECISIONS = 'SELECT * FROM ledger_decisions WHERE prefix = ? AND id IN ?';
const OUTCOMES =
  'SELECT position, outcome FROM ledger_outcomes WHERE bucket = ? AND position > ? AND position <= ? LIMIT ?';
const OUTBOX =
  'SELECT position, investor FROM ledger_outbox WHERE bucket = ? AND position > ? AND position <= ? LIMIT ?';

export class TablesReader {
  readonly #cql: Cql;

  constructor(cql: Cql) {
    this.#cql = cql;
  }

  /** How far the tables are; null when nothing has ever been written to them. */
  async state(): Promise<{ readonly position: number; readonly state: TablesState } | null> {
    const [row] = await this.#cql.rows(STATE, [STATE_NAME]);
    return row === undefined ? null : { position: exact(row['position']), state: decodeState(row['body']) };
  }

  async rounds(): Promise<ReadonlyMap<string, RoundRow>> {
    const rows = await this.#cql.rows(ROUNDS, []);
    return new Map(rows.map((row) => [row['round'] as string, roundRowOf(row)]));
  }

  /** Those of the accounts that there are, by stored name. */
  async accounts(names: readonly string[]): Promise<ReadonlyMap<string, AccountRow>> {
    const accounts = new Map<string, AccountRow>();
    await inFlight(chunks(names), async (some) => {
      for (const row of await this.#cql.rows(ACCOUNTS, [some])) {
        if (row['currency'] !== null) accounts.set(row['account'], accountRowOf(row));
      }
    });
    return accounts;
  }

  /** What those of the ids that are known have been used for. */
  async decisions(ids: readonly string[]): Promise<ReadonlyMap<string, Decision>> {
    const byPrefix = new Map<string, string[]>();
    for (const id of ids) {
      const prefix = prefixOf(id);
      const some = byPrefix.get(prefix);
      if (some === undefined) byPrefix.set(prefix, [id]);
      else some.push(id);
    }
    const decisions = new Map<string, Decision>();
    await inFlight([...byPrefix], async ([prefix, some]) => {
      for (const row of await this.#cql.rows(DECISIONS, [prefix, some]))
        decisions.set(row['id'], decisionOf(row));
    });
    return decisions;
  }

  /** An investor's account with its newest entries, or null. */
  async account(investor: string, entriesMax: number): Promise<AccountView | null> {
    const name = investorAccount(investor);
    const [first, ...more] = await this.#cql.rows(ACCOUNT, [name, 0, entriesMax]);
    if (first === undefined) return null;
    const [currency, balance, eligible, version] = accountRowOf(first);
    const entries: EntryView[] = [];
    // A long account: the newest parts first, and the first one was read already.
    for (let part = partOf(version); part > 0 && entries.length < entriesMax; part--) {
      const rows = await this.#cql.rows(ACCOUNT, [name, part, entriesMax - entries.length]);
      entries.push(...rows.map(entryView));
    }
    entries.push(...[first, ...more].slice(0, entriesMax - entries.length).map(entryView));
    return { currency, balance, eligible: eligible === 1, version, entries };
  }

  /** Outcomes with positions after the one and up to the other, the first `limit` of them. */
  outcomes(
    after: number,
    upTo: number,
    limit: number,
  ): Promise<readonly (readonly [position: number, outcome: OutcomeMessage])[]> {
    return this.#positions(OUTCOMES, after, upTo, limit, (row) => outcomeOf(decodeOutcome(row['outcome'])));
  }

  /** The same of the outbox: investors whose balance has changed. */
  outbox(
    after: number,
    upTo: number,
    limit: number,
  ): Promise<readonly (readonly [position: number, investor: string])[]> {
    return this.#positions(OUTBOX, after, upTo, limit, (row) => row['investor'] as string);
  }

  async #positions<T>(
    query: string,
    after: number,
    upTo: number,
    limit: number,
    read: (row: types.Row) => T,
  ): Promise<readonly (readonly [number, T])[]> {
    const found: (readonly [number, T])[] = [];
    let from = after;
    while (from < upTo && found.length < limit) {
      const bucket = positionBucket(from + 1);
      const last = Math.min(upTo, (bucket + 1) * LEDGER_POSITION_BUCKET_ROWS - 1);
      const rows = await this.#cql.rows(query, [bucket, from, last, limit - found.length]);
      for (const row of rows) found.push([exact(row['position']), read(row)]);
      from = last;
    }
    return found;
  }
}

const chunks = (names: readonly string[]): readonly (readonly string[])[] =>
  Array.from({ length: Math.ceil(names.length / LEDGER_CQL_IN_MAX) }, (_, chunk) =>
    names.slice(chunk * LEDGER_CQL_IN_MAX, (chunk + 1) * LEDGER_CQL_IN_MAX),
  );

function entryView(row: types.Row): EntryView {
  const [id, amount, balance, counterparty, atMs] = entryRowOf(row);
  return { id, amount, balance, counterparty, at: new Date(atMs).toISOString() };
}
