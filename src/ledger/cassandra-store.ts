// The ledger's books in Cassandra, which has no transaction over partitions. So the books are **a log**: every change, a
// whole group of investments with both legs of every transfer and all outcomes, is one record, and a record is in the
// log or not. That is one lightweight transaction for a group, where a saga of one per account, escrow and cap would
// need five for each investment, all rounds' investments queueing for the partition of the round.
//
// **Why it is right.**
// 1. *One order.* A position of the log is taken once (cassandra-log.ts). Position n+1 is only offered by a process that
//    has applied 1…n. So the books at n are the same for everybody, for ever.
// 2. *Balances, caps and repeated ids are checked by the lightweight transaction.* A change is decided on the books at n
//    and offered for n+1, with the condition that nobody has that position: it happens if and only if the books are
//    still those on which it was decided. If not, the newer records are applied and it is decided again. So no balance
//    falls below zero and no cap is passed, even with two processes that do not know of each other.
// 3. *Both legs or none.* They are in one record. At every prefix of the log the entries sum to zero and an escrow is
//    what was settled and transferred into it; there is nothing half done that a recovery would have to finish.
// 4. *An unknown answer is never guessed.* The same record is offered again until the position has somebody's record.
//    Nothing else is decided before that, and the caller hears "try again later", never an outcome. If the process dies
//    meanwhile, the record is there or not, and whoever reads the log next, serially, sees which; if it arrives later
//    still, its position is taken, or it wins it and the one who wanted it decides again.
// 5. *One id, one outcome.* What an id was used for is in its record and in a table made from it; both are looked at
//    before an id is decided, and by 2. nothing is decided on an old look.
// 6. *An old process changes nothing.* A claim with a fencing token is a record too. Who was overtaken finds its next
//    position taken, reads on, finds the claim, and ends.
//
// **The tables** (accounts, entries, decisions, outcomes, rounds) are made from the log, behind it: cassandra-tables.ts
// says why writing them may be repeated, late or half done. What they may not have yet is in memory (cassandra-state.ts),
// and is read again from the log at a start. A change waits when they are too far behind.

import type { Client } from 'cassandra-driver';
import type { Logger } from 'pino';
import type { InvestorLine } from '../core/investor-lines.js';
import { LEDGER_DRAIN_MS, LEDGER_STORE_DEADLINE_MS } from '../core/limits.js';
import type { InvestmentMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { escrowAccount, investorAccount } from './accounts.js';
import { makeTransfer, openLines, settleOne } from './books.js';
import { Books } from './cassandra-books.js';
import type { LogChange } from './cassandra-change.js';
import { BooksChanges, type BooksParts } from './cassandra-changes.js';
import { Cql, isAway } from './cassandra-cql.js';
import { LedgerLog } from './cassandra-log.js';
import { TablesReader } from './cassandra-reader.js';
import { BooksState } from './cassandra-state.js';
import { TablesWriter } from './cassandra-tables-writer.js';
import { Turns } from './cassandra-turns.js';
import { quickFaults, verifyBooks } from './cassandra-verify.js';
import { roundTotals } from './ledger-rows.js';
import type {
  AccountView,
  BalanceBatch,
  LedgerFault,
  LedgerStore,
  LedgerTotals,
  OpenedAccounts,
  OutcomePage,
  Refusal,
  Settlement,
  StoreFailure,
  TransferDone,
  TransferRequest,
} from './store.js';
import { storeFailure } from './store-failure.js';

export interface CassandraLedgerOptions {
  /** Connected to the keyspace that has the ledger's tables; closed with the store. */
  readonly client: Client;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** How long a change or a reading waits for Cassandra; the usual time when absent. */
  readonly deadlineMs?: number;
}

/** Opens the books: reads where the tables are and the log from there on. A failure that is fatal is of the books. */
export async function openCassandraLedgerStore(
  options: CassandraLedgerOptions,
): Promise<Result<LedgerStore, StoreFailure>> {
  const { client, logger, nowMs } = options;
  const cql = new Cql(client);
  const reader = new TablesReader(cql);
  const state = new BooksState();
  const turns = new Turns(options.deadlineMs ?? LEDGER_STORE_DEADLINE_MS);
  try {
    await restore(state, reader);
    const books = new Books(new LedgerLog(cql), state);
    const writer = new TablesWriter(cql, state, logger, (error) => turns.fail(error));
    await books.ready();
    const faults = quickFaults(state);
    if (faults.length > 0) {
      const details = faults.map((fault) => `${fault.invariant}: ${fault.detail}`).join('; ');
      return err({ message: `the ledger does not add up: ${details}`, isFatal: true, isFenced: false });
    }
    writer.kick();
    return ok(new CassandraLedgerStore(client, cql, { reader, state, turns, books, writer, nowMs }));
  } catch (error) {
    if (!isAway(error)) return err(storeFailure(error));
    const message = `cannot open the ledger in Cassandra: ${(error as Error).message}`;
    return err({ message, isFatal: false, isFenced: false });
  }
}

/** The state as the tables have it. The log is read after this, so nothing here is newer than what is applied then. */
async function restore(state: BooksState, reader: TablesReader): Promise<void> {
  const stored = await reader.state();
  if (stored === null) return;
  const rounds = await reader.rounds();
  state.restore(stored.position, stored.state, rounds);
  const outside = Object.keys(stored.state.meta.totals).map((currency) => `external:${currency}`);
  const names = [...[...rounds.keys()].map(escrowAccount), ...outside];
  for (const [name, row] of await reader.accounts(names)) state.restoreSystem(name, row);
}

class CassandraLedgerStore implements LedgerStore {
  readonly failed: Promise<StoreFailure>;
  readonly #client: Client;
  readonly #cql: Cql;
  readonly #parts: BooksParts;
  readonly #changes: BooksChanges;

  constructor(client: Client, cql: Cql, parts: BooksParts) {
    this.#client = client;
    this.#cql = cql;
    this.#parts = parts;
    this.#changes = new BooksChanges(parts);
    this.failed = parts.turns.failed;
  }

  async settle(group: readonly InvestmentMessage[]): Promise<Result<readonly Settlement[], StoreFailure>> {
    const { nowMs } = this.#parts;
    const needs = { investors: group.map((each) => each.investor), ids: group.map((each) => each.id) };
    try {
      return await this.#changes.decide(needs, (books) => group.map((each) => settleOne(books, each, nowMs)));
    } catch (error) {
      return err(storeFailure(error));
    }
  }

  async openAccounts(lines: readonly InvestorLine[]): Promise<Result<OpenedAccounts, Refusal>> {
    const needs = { investors: lines.map((line) => line.investor), ids: [] };
    return unlessAway(await this.#changes.decide(needs, (books, atMs) => openLines(books, lines, atMs)));
  }

  async transfer(request: TransferRequest): Promise<Result<TransferDone, Refusal>> {
    const investors = [request.from, request.to].flatMap((name) =>
      name.startsWith('investor:') ? [name.slice('investor:'.length)] : [],
    );
    const needs = { investors, ids: [request.id] };
    return unlessAway(await this.#changes.decide(needs, (books, atMs) => makeTransfer(books, request, atMs)));
  }

  async fencingToken(): Promise<number> {
    return this.#parts.state.meta.token ?? 0;
  }

  async claim(token: number): Promise<Result<void, StoreFailure>> {
    this.#changes.token = token;
    try {
      return await this.#changes.change(async () => {
        const { meta } = this.#parts.state;
        return { value: undefined, change: this.#bareChange({ meta: { ...meta, token } }) };
      });
    } catch (error) {
      return err(storeFailure(error));
    }
  }

  async roundEpoch(round: string): Promise<number> {
    return this.#parts.state.round(round)?.epoch ?? 0;
  }

  account(investor: string, entriesMax: number): Promise<Result<AccountView | null, StoreFailure>> {
    return this.#read((reader) => reader.account(investor, entriesMax));
  }

  async totals(): Promise<Result<LedgerTotals, StoreFailure>> {
    const { state } = this.#parts;
    const { totals, accounts, entries, nextOutcome, nextOutbox } = state.meta;
    let entriesSum = 0;
    for (const { investor, escrow, external } of Object.values(totals))
      entriesSum += investor + escrow + external;
    return ok({
      rounds: state
        .rounds()
        .map(([round, row]) => roundTotals(round, row, state.account(escrowAccount(round)) ?? undefined)),
      accounts,
      entries,
      outcomes: nextOutcome - 1,
      entriesSum,
      balancesQueued: nextOutbox - 1 - state.balancesSent,
    });
  }

  outcomes(after: number, limit: number): Promise<Result<OutcomePage, StoreFailure>> {
    const last = this.#parts.state.meta.nextOutcome - 1;
    return this.#read(async (reader) => {
      const rows = await reader.outcomes(after, last, limit);
      const next = rows.at(-1)?.[0] ?? after;
      return { outcomes: rows.map(([, outcome]) => outcome), next, more: next < last };
    });
  }

  async verify(): Promise<Result<readonly LedgerFault[], StoreFailure>> {
    const { turns, state } = this.#parts;
    // What the books are at one position; every row says whether it is older.
    const snapshot = await turns.run(async (deadlineMs) => {
      await this.#changes.ready(deadlineMs);
      return { position: state.position, meta: state.meta, rounds: state.rounds() };
    });
    if (!snapshot.ok) return snapshot;
    return this.#read(() => verifyBooks(this.#cql, snapshot.value));
  }

  async queuedBalances(limit: number): Promise<Result<BalanceBatch, StoreFailure>> {
    const { turns, reader, state, nowMs } = this.#parts;
    return turns.run(async (deadlineMs) => {
      await this.#changes.ready(deadlineMs);
      await this.#changes.inTables(deadlineMs);
      const rows = await reader.outbox(state.balancesSent, state.meta.nextOutbox - 1, limit);
      const upTo = rows.at(-1)?.[0] ?? 0;
      // The same investor twice would only say the same thing twice.
      const investors = [...new Set(rows.map(([, investor]) => investor))];
      const accounts = await this.#changes.accounts(investors);
      this.#changes.outboxTaken = Math.max(this.#changes.outboxTaken, upTo);
      const at = new Date(nowMs()).toISOString();
      const messages = investors.flatMap((investor) => {
        const row = accounts.get(investorAccount(investor));
        if (row === undefined) return [];
        const [currency, balance, eligible, version] = row;
        return [{ investor, currency, balance, eligible: eligible === 1, version, at }];
      });
      return { messages, upTo };
    });
  }

  balancesSent(upTo: number): Promise<Result<void, StoreFailure>> {
    return this.#changes.change(async () => {
      const isNews = upTo > this.#parts.state.balancesSent;
      return { value: undefined, change: isNews ? this.#bareChange({ balancesSent: upTo }) : null };
    });
  }

  /** The tables are brought up to the log if that is soon done; if not, the next start does it. */
  async close(): Promise<void> {
    const { turns, writer, state } = this.#parts;
    await turns.close();
    await writer.until(() => state.inTables >= state.position, performance.now() + LEDGER_DRAIN_MS);
    await writer.stop();
    await this.#client.shutdown();
  }

  #read<T>(work: (reader: TablesReader) => Promise<T>): Promise<Result<T, StoreFailure>> {
    return this.#parts.turns.read(async (deadlineMs) => {
      await this.#changes.inTables(deadlineMs);
      return work(this.#parts.reader);
    });
  }

  /** A change of nothing but what is given. */
  #bareChange(what: Partial<Pick<LogChange, 'meta' | 'balancesSent'>>): LogChange {
    const { meta, balancesSent } = this.#parts.state;
    const none = { accounts: [], entries: [], outcomes: [], transfers: [], rounds: [], outbox: [] };
    return { ...none, meta, balancesSent, ...what };
  }
}

/** For the ports of the outside: it is not known whether the change was made. */
function unlessAway<T>(result: Result<Result<T, Refusal>, StoreFailure>): Result<T, Refusal> {
  if (result.ok) return result.value;
  const detail = 'The books cannot be reached now; it is unknown whether the change was made. Ask again.';
  return err({ code: 'overloaded', detail });
}
