// Reads an investor's record of the index. A decision has it read into one reused object, without the keys and without
// making anything; `decodeInvestor` makes the whole record of the same reading. The bytes are drawn in index-records.ts.

import { ROUNDS_MAX } from '../core/limits.js';
import { currencyText } from '../core/money.js';
import { RecordReader } from './index-bytes.js';
import { IndexDamage } from './index-damage.js';
import {
  INLINE_KEYS,
  INVESTOR_FLAG,
  type InvestorRecord,
  type InvestorRound,
  LIVE_CODES,
  packedCurrencyOfCode,
} from './index-records.js';

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

  /**
   * Reads a record.
   * @param keys gets hash and sequence, in turns, of the first attempts of each part
   * @throws IndexDamage
   */
  decode(bytes: Buffer, length: number, keys?: number[][]): void {
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
      this.#decodePart(reader, round, keys);
    }
  }

  #decodePart(reader: RecordReader, round: number, keys: number[][] | undefined): void {
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
    const ofPart: number[] | undefined = keys === undefined ? undefined : [];
    for (let key = Math.min(attempts, INLINE_KEYS); key > 0; key--) {
      const hash = reader.u32();
      const sequence = reader.varint();
      ofPart?.push(hash, sequence);
    }
    if (ofPart !== undefined) keys?.push(ofPart);
  }
}

const whole = new IndexedInvestor();

/** The record as an object. @throws IndexDamage */
export function decodeInvestor(bytes: Buffer, length: number): InvestorRecord {
  const keys: number[][] = [];
  whole.decode(bytes, length, keys);
  const { known, eligible, balance, balanceVersion } = whole;
  const currency = known ? currencyText(whole.currency) : '';
  return { known, eligible, balance, currency, balanceVersion, rounds: keys.map(roundOf) };
}

function roundOf(keys: number[], part: number): InvestorRound {
  return {
    round: whole.rounds[part]!,
    attempts: whole.attempts[part]!,
    live: whole.live[part]!,
    liveAmount: whole.liveAmounts[part]!,
    liveState: whole.settled[part] === 1 ? 'settled' : 'accepted',
    keys,
  };
}
