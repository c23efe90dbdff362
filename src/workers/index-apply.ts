// The index's only way to change: journal rows, in sequence order, one LMDB transaction per batch with the mark in it.
//
// Idempotent: rows below the mark are skipped, so a batch may be applied again from anywhere. Either a batch is in the
// index as a whole and the mark behind it, or nothing of it is.
// Rows (index-rows.ts) grow at their end and are written as they come, and so is the outbox (index-outbox.ts); what they
// mean to their investors (index-investors.ts) comes after them.
// A row that contradicts the index (a gap, a second live investment, an outcome of nothing) is refused with
// IndexDamage before anything of its batch is committed: the journal or the index is wrong, and neither is guessed at.

import type { JournalPosition } from '../core/journal-format.js';
import type { OutcomeRow, RoundRow, Row, VerdictRow } from '../core/rows.js';
import { IndexDamage } from './index-damage.js';
import { INDEX_FORMAT, type IndexDb, type IndexMark, MARK_KEY, SEQUENCE_MAX } from './index-db.js';
import { InvestorChanges, outcomeOfNothing } from './index-investors.js';
import { OutboxEntries } from './index-outbox.js';
import { emptyTotals, type RoundEntry } from './index-records.js';
import { RowBlocks } from './index-rows.js';

export class IndexApplier {
  readonly #db: IndexDb;
  #mark: IndexMark;
  /** The rounds as of the mark; null after a transaction that failed. */
  #rounds: Map<number, RoundEntry> | null = null;

  constructor(db: IndexDb, mark: IndexMark) {
    this.#db = db;
    this.#mark = mark;
  }

  /** Makes an empty index the index of this journal. */
  static initialise(db: IndexDb, journalId: string, position: JournalPosition): IndexApplier {
    const mark = { format: INDEX_FORMAT, journalId, position };
    db.root.transactionSync(() => putMark(db, mark));
    return new IndexApplier(db, mark);
  }

  get mark(): IndexMark {
    return this.#mark;
  }

  /**
   * Applies rows that follow each other in the journal and end right before `position`; durable when it returns.
   * Rows that were applied before are skipped. Throws what LMDB throws (nothing has changed then: try again), or
   * IndexDamage (nothing has changed, and never will).
   */
  apply(rows: readonly Row[], position: JournalPosition): void {
    let mark: IndexMark = { ...this.#mark, position };
    const fresh = rows.slice(firstFresh(rows, this.#mark.position.nextSequence));
    const first = fresh[0]?.sequence ?? position.nextSequence;
    if (first !== this.#mark.position.nextSequence || position.nextSequence > SEQUENCE_MAX) {
      throw new IndexDamage(
        `row ${first} does not follow the index mark, ${this.#mark.position.nextSequence}`,
      );
    }
    this.#rounds ??= new Map(this.#db.readRounds().map((entry) => [entry.definition.number, entry]));
    const rounds = this.#rounds;
    try {
      this.#db.root.transactionSync(() => {
        const batch = new Batch(this.#db, rounds, first);
        for (let i = 0; i < fresh.length; i++) {
          const row = fresh[i]!;
          if (row.sequence !== first + i)
            throw new IndexDamage(`row ${row.sequence} follows row ${first + i - 1}`);
          if (row.kind === 'lineage') mark = { ...mark, lineage: row.lineage };
          batch.add(row);
        }
        if (first + fresh.length !== position.nextSequence) {
          throw new IndexDamage(
            `rows end before ${first + fresh.length}, not before ${position.nextSequence}`,
          );
        }
        batch.finish(fresh);
        putMark(this.#db, mark);
      });
    } catch (error) {
      this.#rounds = null;
      throw error;
    }
    this.#mark = mark;
  }
}

/** Index of the first row at or above `nextSequence`. */
function firstFresh(rows: readonly Row[], nextSequence: number): number {
  const first = rows[0]?.sequence ?? nextSequence;
  return Math.min(rows.length, Math.max(0, nextSequence - first));
}

function putMark(db: IndexDb, mark: IndexMark): void {
  db.meta.putSync(MARK_KEY, Buffer.from(JSON.stringify(mark)));
}

/** One batch inside its transaction. */
class Batch {
  readonly #db: IndexDb;
  readonly #rounds: Map<number, RoundEntry>;
  readonly #rows: RowBlocks;
  readonly #outbox: OutboxEntries;
  readonly #touchedRounds = new Set<RoundEntry>();

  /** @param first the sequence of its first row */
  constructor(db: IndexDb, rounds: Map<number, RoundEntry>, first: number) {
    this.#db = db;
    this.#rounds = rounds;
    this.#rows = new RowBlocks(db, first);
    this.#outbox = new OutboxEntries(db);
  }

  /** Takes the next row, but for what it means to its investor. */
  add(row: Row): void {
    if (row.kind === 'verdict') this.#addVerdict(row);
    else {
      this.#rows.append(null);
      if (row.kind === 'outcome') this.#addOutcome(row);
      else if (row.kind === 'round') this.#addRound(row);
    }
  }

  #addVerdict(row: VerdictRow): void {
    const { totals } = this.#round(row.round, row.sequence);
    this.#rows.append(row);
    totals.verdicts[row.verdict]++;
    if (row.verdict !== 'accepted') return;
    totals.admitted += row.amount;
    totals.investors++;
    this.#outbox.open(row.sequence);
  }

  #addOutcome(row: OutcomeRow): void {
    const { sequence, round, investor, investment, amount, state } = row;
    const { totals } = this.#round(round, sequence);
    const verdict = this.#rows.read(investment);
    if (
      verdict?.state !== 'accepted' ||
      verdict.amount !== amount ||
      verdict.round !== round ||
      verdict.investor !== investor
    )
      throw outcomeOfNothing(row);
    this.#rows.settle(verdict, { state, reason: row.reason, at: row.at });
    this.#outbox.close(investment);
    if (state === 'settled') {
      totals.settled += amount;
      totals.settledCount++;
    } else {
      totals.admitted -= amount;
      totals.investors--;
      totals.declined += amount;
      totals.declinedCount++;
    }
  }

  #addRound(row: RoundRow): void {
    const { definition } = row;
    const entry = { definition, totals: this.#rounds.get(definition.number)?.totals ?? emptyTotals() };
    const replaced = this.#rounds.get(definition.number);
    if (replaced !== undefined) this.#touchedRounds.delete(replaced);
    this.#rounds.set(definition.number, entry);
    this.#touchedRounds.add(entry);
  }

  /** Writes what was gathered, and what the rows mean to their investors. */
  finish(rows: readonly Row[]): void {
    const { rounds } = this.#db;
    this.#rows.finish();
    this.#outbox.finish();
    new InvestorChanges(this.#db, (round) => this.#rounds.get(round)?.definition.currency ?? '').apply(rows);
    for (const entry of this.#touchedRounds) {
      rounds.putSync(String(entry.definition.number).padStart(3, '0'), Buffer.from(JSON.stringify(entry)));
    }
  }

  #round(number: number, sequence: number): RoundEntry {
    const entry = this.#rounds.get(number);
    if (entry === undefined)
      throw new IndexDamage(`row ${sequence} is of round ${number}, which no row has made`);
    this.#touchedRounds.add(entry);
    return entry;
  }
}
