// What the rows of one batch mean to their investors: attempts, keys, live investment, balance. Inside the batch's
// transaction, after its rows are written (index-apply.ts).
//
// Roughly in the order of their names, so that a page of the table is touched at one time. Whoever makes their first
// attempt in a round gets it put behind the bytes of their record; any other change reads the record as an object.

import { assert } from '../core/assert.js';
import type { OutcomeRow, Row, VerdictRow } from '../core/rows.js';
import { IndexDamage } from './index-damage.js';
import { type IndexDb, spilledKey, spilledOrder } from './index-db.js';
import {
  emptyInvestor,
  encodeInvestor,
  INLINE_KEYS,
  type InvestorRecord,
  type InvestorRound,
  keyHash,
  withFirstAttempt,
} from './index-records.js';
import { decodeInvestor, IndexedInvestor } from './indexed-investor.js';

/** What LMDB writes where the key says it all; it must not be empty. */
const NOTHING = Buffer.alloc(1);
/** Rows of a batch; a place among them has so many bits in `inKeyOrder`. */
const PLACES = 2 ** 21;
/** Characters that are compared to bring investors into order. */
const ORDER_CHARACTERS = 4;

export class InvestorChanges {
  readonly #db: IndexDb;
  /** The currency of a round. */
  readonly #currencyOf: (round: number) => string;
  readonly #spilled: [key: string, value: Buffer][] = [];
  readonly #found = new IndexedInvestor();

  constructor(db: IndexDb, currencyOf: (round: number) => string) {
    this.#db = db;
    this.#currencyOf = currencyOf;
  }

  /** Applies the rows of a batch. @throws IndexDamage */
  apply(rows: readonly Row[]): void {
    for (const row of inKeyOrder(rows)) {
      if (row.kind === 'verdict') this.#attempt(row);
      else this.#settle(row);
    }
    this.#spilled.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of this.#spilled) this.#db.keys.putSync(key, value);
  }

  #attempt(row: VerdictRow): void {
    const { investors } = this.#db;
    const { round, investor, sequence } = row;
    const bytes = investors.getBinaryFast(investor);
    if (bytes === undefined || this.#lastRound(bytes) < round) {
      investors.putSync(investor, withFirstAttempt(bytes ?? NOTHING, bytes?.length ?? 0, row));
      return;
    }
    const record = decodeInvestor(bytes, bytes.length);
    const part = roundOf(record, round);
    part.attempts++;
    if (part.attempts <= INLINE_KEYS) {
      part.keys.push(keyHash(row.key), sequence);
    } else {
      const value = Buffer.allocUnsafe(6);
      value.writeUIntBE(sequence, 0, 6);
      this.#spilled.push([spilledKey(round, investor, row.key), value]);
      this.#spilled.push([spilledOrder(round, investor, sequence), NOTHING]);
    }
    if (row.verdict === 'accepted') {
      if (part.live !== 0)
        throw new IndexDamage(`row ${sequence} is a second live investment beside ${part.live}`);
      part.live = sequence;
      part.liveAmount = row.amount;
      part.liveState = 'accepted';
    }
    investors.putSync(investor, encodeInvestor(record));
  }

  #settle(row: OutcomeRow): void {
    const record = this.#db.getInvestor(row.investor) ?? emptyInvestor();
    const part = roundOf(record, row.round);
    if (part.live !== row.investment) throw outcomeOfNothing(row);
    if (row.state === 'settled') part.liveState = 'settled';
    else {
      part.live = 0;
      part.liveAmount = 0;
      part.liveState = 'accepted';
    }
    // A decline makes no entry, so its version may be one that is known: it still tells better than an import.
    if (row.balanceVersion > 0 && row.balanceVersion >= record.balanceVersion) {
      // The ledger's account is of the round's currency, unless an import has told better.
      if (!record.known) record.currency = this.#currencyOf(row.round);
      record.known = true;
      record.balance = row.balance;
      record.eligible = row.eligible;
      record.balanceVersion = row.balanceVersion;
    }
    this.#db.investors.putSync(row.investor, encodeInvestor(record));
  }

  /** The latest round in a record; 0: it has none. */
  #lastRound(bytes: Buffer): number {
    const found = this.#found;
    found.decode(bytes, bytes.length);
    return found.parts === 0 ? 0 : found.rounds[found.parts - 1]!;
  }
}

/** An outcome of what is not there, or is not accepted, or has its outcome. */
export function outcomeOfNothing({ sequence, investment }: OutcomeRow): IndexDamage {
  return new IndexDamage(`row ${sequence} is an outcome of ${investment}, which awaits none of that kind`);
}

/**
 * Rows of investors, those of one investor in the order that they came in, and investors by the first characters in
 * which any of them differ. It need not be exact: it is only so that neighbours are written one after the other.
 */
function* inKeyOrder(rows: readonly Row[]): Generator<VerdictRow | OutcomeRow, void> {
  assert(rows.length < PLACES, 'a batch has a bound');
  const ofInvestors: (VerdictRow | OutcomeRow)[] = [];
  for (const row of rows) if (row.kind === 'verdict' || row.kind === 'outcome') ofInvestors.push(row);
  const shared = sharedStart(ofInvestors);
  const order = Float64Array.from(ofInvestors, ({ investor }, place) => {
    let prefix = 0;
    for (let at = shared; at < shared + ORDER_CHARACTERS; at++)
      prefix = prefix * 128 + (at < investor.length ? investor.charCodeAt(at) : 0);
    return prefix * PLACES + place;
  }).sort();
  for (const each of order) yield ofInvestors[each % PLACES]!;
}

/** How many characters all of these investors have in common at their start. */
function sharedStart(rows: readonly (VerdictRow | OutcomeRow)[]): number {
  const first = rows[0]?.investor ?? '';
  let shared = first.length;
  for (const { investor } of rows) {
    let at = 0;
    while (at < shared && investor.charCodeAt(at) === first.charCodeAt(at)) at++;
    shared = at;
  }
  return shared;
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

assert(NOTHING.length > 0, 'LMDB takes no empty value through this binding');
