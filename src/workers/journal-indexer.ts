// The owner of the index: the only writer of its LMDB environment, in a thread of its own.
//
// It follows what the journal has synced and never runs ahead of it. Every write is one synchronous LMDB transaction,
// so a full or broken disk is an exception here and now, and no promise is left behind to reject later. Such a failure
// loses nothing: the index stays where its mark is, which is visible as lag, and the rows are in the journal. It is
// tried again a few times, because a full disk may be cleared; then the indexer says `index-failed` for good, and the
// node stops admitting in order. The next start reads the rows from the journal again.

import { setTimeout as delay } from 'node:timers/promises';
import { Counters } from '../core/counters.js';
import { ownLineage } from '../core/ids.js';
import { describeDamage } from '../core/journal-format.js';
import {
  INDEX_BATCH_ROWS_MAX,
  INDEX_CATCH_UP_ROWS_MAX,
  INDEX_COMMIT_ATTEMPTS_MAX,
  INDEX_RETRY_MS,
} from '../core/limits.js';
import type { BalanceMessage } from '../core/messages.js';
import { err, ok, type Result } from '../core/result.js';
import { applyBalanceMessages, applyBalances, type BalanceLine } from './index-balances.js';
import { isIndexDamage, noteDamage } from './index-damage.js';
import { PendingRows, RowDamage } from './index-pending.js';
import type { InvestorRecord } from './index-records.js';
import { type RecoveredIndex, recoverIndex } from './index-recovery.js';
import { selfCheck } from './index-self-check.js';
import type { CaughtUp, IndexerFailure, IndexerOptions, Recovered, SelfCheck } from './indexer-protocol.js';
import { JournalHead } from './journal-head.js';
import { JournalReader } from './journal-reader.js';

export interface Recovery {
  readonly indexer: JournalIndexer;
  readonly report: Recovered;
}

export class JournalIndexer {
  readonly #index: RecoveredIndex;
  readonly #head: JournalHead;
  readonly #counters: Counters;
  readonly #pending: PendingRows;
  readonly #reader: JournalReader;
  readonly #indexDir: string;
  /** Wait before the second try. */
  readonly #retryMs: number;
  #failure: IndexerFailure | null = null;

  private constructor(options: IndexerOptions, index: RecoveredIndex, retryMs: number) {
    const { applier, journal } = index;
    this.#index = index;
    this.#head = new JournalHead(options.journalHead);
    this.#counters = new Counters(options.counters);
    this.#pending = new PendingRows(applier);
    this.#reader = new JournalReader(options.journalDir, journal.journalId, applier.mark.position);
    this.#indexDir = options.indexDir;
    this.#retryMs = retryMs;
    this.#publish();
  }

  /** Makes journal and index ready. An error must keep the node from starting. */
  static async recover(
    options: IndexerOptions,
    floorSequence: number,
    retryMs: number = INDEX_RETRY_MS,
  ): Promise<Result<Recovery, IndexerFailure>> {
    const started = performance.now();
    const { journalDir, indexDir, segmentBytes } = options;
    let recovered: Result<RecoveredIndex, string>;
    try {
      recovered = await recoverIndex({ journalDir, indexDir, segmentBytes, floorSequence });
    } catch (error) {
      return err(indexFailure(error));
    }
    if (!recovered.ok) return err({ code: 'journal-damaged', message: recovered.error });
    const { db, applier, journal, replayedRows, rebuilt } = recovered.value;
    const report: Recovered = {
      journalId: journal.journalId,
      lineage: applier.mark.lineage ?? ownLineage(journal.journalId),
      end: journal.end,
      lastSegment: journal.lastSegment,
      rounds: db.readRounds(),
      replayedRows,
      rebuilt,
      torn: journal.torn,
      recoveryMs: performance.now() - started,
    };
    return ok({ indexer: new JournalIndexer(options, recovered.value, retryMs), report });
  }

  /** The sequence up to which the index holds every row. */
  get mark(): number {
    return this.#index.applier.mark.position.nextSequence - 1;
  }

  /** Applies what was synced when it was called, up to INDEX_CATCH_UP_ROWS_MAX rows and the rest of a batch. */
  async catchUp(rowsMax: number = INDEX_CATCH_UP_ROWS_MAX): Promise<Result<CaughtUp, IndexerFailure>> {
    const before = this.mark;
    const durable = this.#head.durableSequence;
    // Each round moves the mark or fails, so this ends.
    while (this.#failure === null && this.mark < durable && this.mark - before < rowsMax) {
      const read = this.#read(durable);
      this.#failure = read.ok ? await this.#apply() : read.error;
    }
    if (this.#failure !== null) return err(this.#failure);
    const { mark } = this;
    return ok({ mark, rows: mark - before, behind: Math.max(0, this.#head.durableSequence - mark) });
  }

  /** Sets balances; what the ledger had told in rows synced before comes first, so that the import is the later word. */
  async balances(lines: readonly BalanceLine[]): Promise<Result<{ investors: number }, IndexerFailure>> {
    const caughtUp = await this.catchUp(Number.POSITIVE_INFINITY);
    if (!caughtUp.ok) return caughtUp;
    return this.#use(() => ({ investors: applyBalances(this.#index.db, lines) }));
  }

  /** Takes over balances that are newer than what is known. */
  balanceMessages(messages: readonly BalanceMessage[]): Result<{ applied: string[] }, IndexerFailure> {
    return this.#use(() => ({ applied: applyBalanceMessages(this.#index.db, messages) }));
  }

  investor(investor: string): Result<InvestorRecord | null, IndexerFailure> {
    return this.#use(() => this.#index.db.getInvestor(investor) ?? null);
  }

  selfCheck(): Result<SelfCheck, IndexerFailure> {
    return this.#use(() => {
      const check = selfCheck(this.#index.db);
      if (check.differences.length > 0)
        noteDamage(this.#indexDir, `it does not add up: ${check.differences[0]}`);
      return check;
    });
  }

  /** Catches up with what is synced and closes; nothing may be called after it. */
  async close(): Promise<Result<CaughtUp, IndexerFailure>> {
    const caughtUp = await this.catchUp(Number.POSITIVE_INFINITY);
    this.#reader.close();
    await this.#index.db.close();
    return caughtUp;
  }

  /** Gathers frames up to a batch. */
  #read(durable: number): Result<undefined, IndexerFailure> {
    try {
      while (this.#pending.count < INDEX_BATCH_ROWS_MAX) {
        const read = this.#reader.next(durable);
        if (!read.ok) return err({ code: 'journal-damaged', message: describeDamage(read.error) });
        if (read.value === null) break;
        this.#pending.add(read.value);
      }
      return ok(undefined);
    } catch (error) {
      return err(
        error instanceof RowDamage
          ? { code: 'journal-damaged', message: error.message }
          : indexFailure(error),
      );
    }
  }

  /** Commits what was gathered, with patience for a disk that is full for a moment. */
  async #apply(): Promise<IndexerFailure | null> {
    let wait = this.#retryMs;
    let last: unknown;
    for (let attempt = 1; attempt <= INDEX_COMMIT_ATTEMPTS_MAX; attempt++) {
      if (attempt > 1) {
        await delay(wait);
        wait *= 2;
      }
      try {
        this.#pending.apply();
        this.#publish();
        return null;
      } catch (error) {
        if (isIndexDamage(error)) return this.#failed(error);
        last = error;
      }
    }
    return this.#failed(last);
  }

  // After the commit, so that whoever sees the mark and renews its snapshot then finds the rows.
  #publish(): void {
    this.#counters.indexedSequence = this.mark;
  }

  /** What is wrong with the index, in words; damage is noted for the next start, which then builds it again. */
  #failed(error: unknown): IndexerFailure {
    const failure = indexFailure(error);
    if (isIndexDamage(error)) noteDamage(this.#indexDir, failure.message);
    return failure;
  }

  /** One use of the index, as a whole or not at all. A disk's failure is this caller's; damage ends the indexer. */
  #use<T>(work: () => T): Result<T, IndexerFailure> {
    if (this.#failure !== null) return err(this.#failure);
    try {
      return ok(work());
    } catch (error) {
      const failure = this.#failed(error);
      if (isIndexDamage(error)) this.#failure = failure;
      return err(failure);
    }
  }
}

function indexFailure(error: unknown): IndexerFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'index-failed', message: `the index failed: ${message}` };
}
