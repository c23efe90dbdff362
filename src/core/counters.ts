// Shared counters of the node: the room of every round, and what each shard thread has done.
//
// One SharedArrayBuffer, written by admission shards, read by the front end:
//
//   rounds   ROUNDS_MAX + 1 slots of 256 bytes (round numbers start at 1; slot 0 holds i64 indexedSequence)
//            ┌ line 0 (64 B) ─ i64 room: what may still be reserved; the only contended word
//            ├ line 2        ─ i64 investors, i64 settled, i64 declined: live counts and sums
//            └ line 3        ─ i32 state (ROUND_STATES)
//   shards   `shards` blocks of STAT_SLOTS f64, each written by one thread alone and only ever summed
//
// Room changes by compare-exchange that checks it first, never by add-then-undo: two reservations near the cap
// would push each other out. It is 64 bits wide: an i32 of pence ends at £21.47m. `room` rather than `admitted`
// is stored because one load and one exchange then decide; admitted = cap - room.

import { assert } from './assert.js';
import { ROUNDS_MAX } from './limits.js';
import { ROUND_STATES, type RoundState } from './round.js';

const ROUND_BYTES = 256;
const WORDS_PER_ROUND = ROUND_BYTES / 8;
const INDEXED = 0;
const ROOM = 0;
const INVESTORS = 16;
const SETTLED = 17;
const DECLINED = 18;
const STATE_I32 = 48;

/** What a shard counts; each is an index of its own block, summed by the metrics. */
export const STAT = {
  batches: 0,
  requests: 1,
  rows: 2,
  decideNs: 3,
  commitNs: 4,
  recentRows: 5,
  recentBytes: 6,
  replays: 8,
  indexReads: 9,
  loopP50S: 10,
  loopP99S: 11,
  loopMaxS: 12,
  batchBucketFirst: 16,
  commitBucketFirst: 32,
  codeFirst: 64,
} as const;

/** Upper bounds of the batch-size histogram, in requests. */
export const BATCH_SIZE_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000] as const;
/** Upper bounds of the commit-time histogram, in milliseconds; the last block slot is +Inf. */
export const COMMIT_MS_BUCKETS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

const STAT_SLOTS = 128;
const ROUNDS_BYTES = (ROUNDS_MAX + 1) * ROUND_BYTES;

assert(BATCH_SIZE_BUCKETS.length < STAT.commitBucketFirst - STAT.batchBucketFirst, 'batch buckets must fit');
assert(COMMIT_MS_BUCKETS.length < STAT.codeFirst - STAT.commitBucketFirst, 'commit buckets must fit');

/** Bytes of shared memory for the counters of `shards` shards. */
export function counterBytes(shards: number): number {
  return ROUNDS_BYTES + shards * STAT_SLOTS * 8;
}

/** A source of room: who may still be let in. Today the whole cap is local. */
export interface RoomSource {
  /** Reserves `amount` if there is room: -1 when reserved, else the room there was (less than `amount`). */
  reserve(round: number, amount: number): number;
}

export class Counters implements RoomSource {
  readonly #words: BigInt64Array;
  readonly #ints: Int32Array;
  readonly #buffer: SharedArrayBuffer;

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer;
    this.#words = new BigInt64Array(buffer, 0, ROUNDS_BYTES / 8);
    this.#ints = new Int32Array(buffer, 0, ROUNDS_BYTES / 4);
  }

  reserve(round: number, amount: number): number {
    const slot = round * WORDS_PER_ROUND + ROOM;
    const wanted = BigInt(amount);
    let room = Atomics.load(this.#words, slot);
    // Each failed exchange means that another shard succeeded, so this ends.
    while (room >= wanted) {
      const seen = Atomics.compareExchange(this.#words, slot, room, room - wanted);
      if (seen === room) return -1;
      room = seen;
    }
    return Number(room);
  }

  /** Gives room back, or adds it when a cap is raised. */
  addRoom(round: number, amount: number): void {
    Atomics.add(this.#words, round * WORDS_PER_ROUND + ROOM, BigInt(amount));
  }

  room(round: number): number {
    return Number(Atomics.load(this.#words, round * WORDS_PER_ROUND + ROOM));
  }

  /** An investment became live (+1) or ceased to be (-1). */
  addInvestors(round: number, change: number): void {
    Atomics.add(this.#words, round * WORDS_PER_ROUND + INVESTORS, BigInt(change));
  }

  investors(round: number): number {
    return Number(Atomics.load(this.#words, round * WORDS_PER_ROUND + INVESTORS));
  }

  addSettled(round: number, amount: number): void {
    Atomics.add(this.#words, round * WORDS_PER_ROUND + SETTLED, BigInt(amount));
  }

  settled(round: number): number {
    return Number(Atomics.load(this.#words, round * WORDS_PER_ROUND + SETTLED));
  }

  addDeclined(round: number, amount: number): void {
    Atomics.add(this.#words, round * WORDS_PER_ROUND + DECLINED, BigInt(amount));
  }

  declined(round: number): number {
    return Number(Atomics.load(this.#words, round * WORDS_PER_ROUND + DECLINED));
  }

  setState(round: number, state: RoundState): void {
    Atomics.store(this.#ints, (round * ROUND_BYTES) / 4 + STATE_I32, ROUND_STATES.indexOf(state));
  }

  state(round: number): RoundState {
    return ROUND_STATES[Atomics.load(this.#ints, (round * ROUND_BYTES) / 4 + STATE_I32)] ?? 'scheduled';
  }

  /** The sequence up to which the index holds every row; raised by the indexer alone, after its commit. */
  get indexedSequence(): number {
    return Number(Atomics.load(this.#words, INDEXED));
  }

  set indexedSequence(sequence: number) {
    Atomics.store(this.#words, INDEXED, BigInt(sequence));
  }

  /** Sets a round's counters before anything is admitted. */
  restore(
    round: number,
    totals: { room: number; investors: number; settled: number; declined: number },
  ): void {
    const slot = round * WORDS_PER_ROUND;
    Atomics.store(this.#words, slot + ROOM, BigInt(totals.room));
    Atomics.store(this.#words, slot + INVESTORS, BigInt(totals.investors));
    Atomics.store(this.#words, slot + SETTLED, BigInt(totals.settled));
    Atomics.store(this.#words, slot + DECLINED, BigInt(totals.declined));
  }

  /** The block of one shard's statistics; aligned f64 stores by one thread are never torn on 64-bit machines. */
  stats(shard: number): Float64Array {
    return new Float64Array(this.#buffer, ROUNDS_BYTES + shard * STAT_SLOTS * 8, STAT_SLOTS);
  }
}
