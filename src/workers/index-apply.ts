// The index's only way to change: journal rows, in sequence order, one LMDB transaction per batch with the mark in it.
//
// Idempotent: rows below the mark are skipped, so a batch may be applied again from anywhere. Either a batch is in the
// index as a whole and the mark behind it, or nothing of it is.
// Rows and outbox grow at their end and are written as they come. Investors are read in key order, changed in memory
// and written once in key order: a page of that table is touched once per batch however many of its investors were busy.
// A row that contradicts the index (a gap, a second live investment, an outcome of nothing) is refused with
// IndexDamage before anything of its batch is committed: the journal or the index is wrong, and neither is guessed at.

import { assert, must } from '../core/assert.js';
import type { JournalPosition } from '../core/journal-format.js';
import type { LineageRow, OutcomeRow, RoundRow, Row, VerdictRow } from '../core/rows.js';
import { IndexDamage } from './index-damage.js';
import {
  INDEX_FORMAT,
  type IndexDb,
  type IndexMark,
  MARK_KEY,
  SEQUENCE_MAX,
  spilledKey,
  spilledOrder,
} from './index-db.js';
import {
  emptyInvestor,
  emptyTotals,
  encodeInvestor,
  encodeRow,
  INLINE_KEYS,
  type InvestorRecord,
  type InvestorRound,
  keyHash,
  type RoundEntry,
} from './index-records.js';

/** What LMDB writes where the key says it all; it must not be empty. */
const NOTHING = Buffer.alloc(1);
const APPEND = { append: true } as const;

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
    const batch = new Batch(this.#db, this.#rounds);
    try {
      this.#db.root.transactionSync(() => {
        batch.load(fresh);
        for (let i = 0; i < fresh.length; i++) {
          const row = fresh[i]!;
          if (row.sequence !== first + i)
            throw new IndexDamage(`row ${row.sequence} follows row ${first + i - 1}`);
          if (row.kind === 'lineage') mark = { ...mark, lineage: row.lineage };
          else batch.add(row);
        }
        if (first + fresh.length !== position.nextSequence) {
          throw new IndexDamage(
            `rows end before ${first + fresh.length}, not before ${position.nextSequence}`,
          );
        }
        batch.finish();
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
  readonly #investors = new Map<string, InvestorRecord>();
  readonly #touchedRounds = new Set<RoundEntry>();
  readonly #spilled: [key: string, value: Buffer][] = [];

  constructor(db: IndexDb, rounds: Map<number, RoundEntry>) {
    this.#db = db;
    this.#rounds = rounds;
  }

  /** Reads the investors of these rows; the map keeps them in key order. */
  load(rows: readonly Row[]): void {
    const names: string[] = [];
    for (const row of rows) if ('investor' in row) names.push(row.investor);
    let last = '';
    for (const name of names.sort()) {
      if (name !== last) this.#investors.set(name, this.#db.getInvestor(name) ?? emptyInvestor());
      last = name;
    }
  }

  add(row: Exclude<Row, LineageRow>): void {
    if (row.kind === 'verdict') this.#addVerdict(row);
    else if (row.kind === 'outcome') this.#addOutcome(row);
    else this.#addRound(row);
  }

  #addVerdict(row: VerdictRow): void {
    const { sequence, round, investor, amount } = row;
    const entry = this.#round(round, sequence);
    append(this.#db.rows, sequence, encodeRow(row, null));
    const part = roundOf(this.#investor(investor), round);
    part.attempts++;
    if (part.attempts <= INLINE_KEYS) {
      part.keys.push(keyHash(row.key), sequence);
    } else {
      const value = Buffer.allocUnsafe(6);
      value.writeUIntBE(sequence, 0, 6);
      this.#spilled.push([spilledKey(round, investor, row.key), value]);
      this.#spilled.push([spilledOrder(round, investor, sequence), NOTHING]);
    }
    entry.totals.verdicts[row.verdict]++;
    if (row.verdict !== 'accepted') return;
    if (part.live !== 0)
      throw new IndexDamage(`row ${sequence} is a second live investment beside ${part.live}`);
    part.live = sequence;
    part.liveAmount = amount;
    part.liveState = 'accepted';
    entry.totals.admitted += amount;
    entry.totals.investors++;
    append(this.#db.outbox, sequence, NOTHING);
  }

  #addOutcome(row: OutcomeRow): void {
    const { sequence, round, investor, investment, amount, state } = row;
    const entry = this.#round(round, sequence);
    const verdict = this.#db.getRow(round, investor, investment);
    const record = this.#investor(investor);
    const part = roundOf(record, round);
    if (verdict?.state !== 'accepted' || verdict.amount !== amount || part.live !== investment) {
      throw new IndexDamage(`row ${sequence} is an outcome of ${investment}, which awaits none of that kind`);
    }
    this.#db.rows.putSync(investment, encodeRow(verdict, { state, reason: row.reason, at: row.at }));
    this.#db.outbox.removeSync(investment);
    const { totals } = entry;
    if (state === 'settled') {
      part.liveState = 'settled';
      totals.settled += amount;
      totals.settledCount++;
    } else {
      part.live = 0;
      part.liveAmount = 0;
      part.liveState = 'accepted';
      totals.admitted -= amount;
      totals.investors--;
      totals.declined += amount;
      totals.declinedCount++;
    }
    // A decline makes no entry, so its version may be one that is known: it still tells better than an import.
    if (row.balanceVersion > 0 && row.balanceVersion >= record.balanceVersion) {
      // The ledger's account is of the round's currency, unless an import has told better.
      if (!record.known) record.currency = entry.definition.currency;
      record.known = true;
      record.balance = row.balance;
      record.eligible = row.eligible;
      record.balanceVersion = row.balanceVersion;
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

  /** Writes what was gathered, in key order. */
  finish(): void {
    const { investors, keys, rounds } = this.#db;
    for (const [investor, record] of this.#investors) investors.putSync(investor, encodeInvestor(record));
    this.#spilled.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of this.#spilled) keys.putSync(key, value);
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

  #investor(investor: string): InvestorRecord {
    return must(this.#investors.get(investor), 'a loaded investor');
  }
}

/** The investor's part in this round, made in its place when there is none. */
function roundOf(record: InvestorRecord, round: number): InvestorRound {
  const { rounds } = record;
  let place = 0;
  while (place < rounds.length && rounds[place]!.round < round) place++;
  const found = rounds[place];
  if (found?.round === round) return found;
  const made: InvestorRound = { round, attempts: 0, live: 0, liveAmount: 0, liveState: 'accepted', keys: [] };
  rounds.splice(place, 0, made);
  return made;
}

/** Puts behind the last key; that there is a later one means that the index is not what its mark says. */
function append(table: IndexDb['rows'], sequence: number, value: Buffer): void {
  // The types say void; inside a transaction it is whether the entry was written.
  const written: unknown = table.putSync(sequence, value, APPEND as never);
  if (written !== true) throw new IndexDamage(`row ${sequence} is in the index already, beyond its mark`);
}

assert(NOTHING.length > 0, 'LMDB takes no empty value through this binding');
