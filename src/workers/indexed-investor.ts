// An investor's record of the index, read into one reused object: what a decision needs of it, without the keys and
// without making anything. The bytes are drawn in index-records.ts.

import { ROUNDS_MAX } from '../core/limits.js';
import { RecordReader } from './index-bytes.js';
import { IndexDamage } from './index-damage.js';
import { INLINE_KEYS, INVESTOR_FLAG, LIVE_CODES, packedCurrencyOfCode } from './index-records.js';

export class IndexedInvestor {
  known = false;
  eligible = false;
  /** Minor units. */
  balance = 0;
  /** Packed by `packCurrency`; 0 while unknown. */
  currency = 0;
  balanceVersion = 0;
  /** Rounds that the investor has taken part in; of each the number, attempts, live investment (0: none), its amount. */
  parts = 0;
  readonly rounds = new Uint16Array(ROUNDS_MAX);
  readonly attempts = new Float64Array(ROUNDS_MAX);
  readonly live = new Float64Array(ROUNDS_MAX);
  readonly liveAmounts = new Float64Array(ROUNDS_MAX);
  /** 1: the ledger has taken the money of the live investment. */
  readonly settled = new Uint8Array(ROUNDS_MAX);
  readonly #reader = new RecordReader();

  /** Nothing is known. */
  clear(): void {
    this.known = false;
    this.eligible = false;
    this.balance = 0;
    this.currency = 0;
    this.balanceVersion = 0;
    this.parts = 0;
  }

  /** Reads a record. @throws IndexDamage */
  decode(bytes: Buffer, length: number): void {
    const reader = this.#reader.start(bytes, length);
    const flags = reader.byte();
    if (flags > INVESTOR_FLAG.all) throw new IndexDamage('investor has unknown flags');
    this.known = (flags & INVESTOR_FLAG.known) !== 0;
    this.eligible = (flags & INVESTOR_FLAG.eligible) !== 0;
    this.currency = this.known ? packedCurrencyOfCode(reader.byte() | (reader.byte() << 8)) : 0;
    this.balance = this.known ? reader.varint() : 0;
    this.balanceVersion = (flags & INVESTOR_FLAG.versioned) === 0 ? 0 : reader.varint();
    this.parts = 0;
    let last = 0;
    while (reader.more) {
      const round = reader.varint();
      if (round <= last || round > ROUNDS_MAX) throw new IndexDamage('investor has rounds out of order');
      last = round;
      this.#decodePart(reader, round);
    }
  }

  /** The place of a round among the parts, or -1. */
  partOf(round: number): number {
    for (let part = 0; part < this.parts; part++) if (this.rounds[part] === round) return part;
    return -1;
  }

  #decodePart(reader: RecordReader, round: number): void {
    const part = this.parts++;
    const head = reader.varint();
    const code = head % 4;
    const attempts = (head - code) / 4;
    if (code > LIVE_CODES.settled) throw new IndexDamage('investor has an unknown state');
    this.rounds[part] = round;
    this.attempts[part] = attempts;
    this.live[part] = code === 0 ? 0 : reader.varint();
    this.liveAmounts[part] = code === 0 ? 0 : reader.varint();
    this.settled[part] = code === LIVE_CODES.settled ? 1 : 0;
    for (let key = Math.min(attempts, INLINE_KEYS); key > 0; key--) {
      reader.u32();
      reader.varint();
    }
  }
}
