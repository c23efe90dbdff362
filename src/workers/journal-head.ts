// The shared head of the journal: where the next frame goes, and how far the disk is known to have it.
//
// All threads of the node map it. Eight-byte words, one cache line (8 words) per kind of access:
//
//   line 0   i32 lock: 0 free, 1 held, 2 held and waited for │ i32 failure: 0, or 1 + index in JOURNAL_FAILURES
//   line 1   nextSequence │ segment │ offset │ previousChecksum          changed under the lock only
//   line 2   durableSequence                                             stored under the lock, read by all
//   line 3   journalId, 8 ASCII bytes │ segmentReady │ segmentsInline
//   line 4   frames │ rows │ bytes │ syncs │ syncNs                      sums since the start, for /metrics
//   line 5+  syncs by duration, one word per bucket of SYNC_MS_BUCKETS and one for the rest
//
// Order of publication: frame written, fdatasync returned, line 1, durableSequence, lock released. So whoever sees a
// durable sequence finds its frame in the file, and whoever holds the lock finds nothing in flight. A failure is
// stored before the lock is released, is never taken back, and ends every append in every thread.

import { assert } from '../core/assert.js';
import type { JournalPosition } from '../core/journal-format.js';
import { wordNumber } from '../core/little-endian.js';

/** Upper bounds of the sync-time histogram, in milliseconds. */
export const SYNC_MS_BUCKETS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;

/** What failed first: making a segment, writing, syncing, or getting the lock in time. */
export const JOURNAL_FAILURES = ['segment', 'write', 'sync', 'lock'] as const;
export type JournalFailure = (typeof JOURNAL_FAILURES)[number];

export interface JournalStats {
  readonly segment: number;
  /** The highest segment that exists, in use or ahead of need. */
  readonly segmentReady: number;
  /** Segments that an append had to make itself because the upkeep was late. */
  readonly segmentsInline: number;
  readonly durableSequence: number;
  readonly frames: number;
  readonly rows: number;
  readonly bytes: number;
  readonly syncs: number;
  readonly syncMs: number;
  /** Syncs per bucket of SYNC_MS_BUCKETS, not cumulative; the last one is what took longer. */
  readonly syncBuckets: readonly number[];
  readonly failure: JournalFailure | null;
}

const LOCK = 0;
const FAILURE = 1;
const FREE = 0;
const HELD = 1;
const WAITED = 2;
const LOCK_SPINS = 64;

const NEXT_SEQUENCE = 8;
const SEGMENT = 9;
const OFFSET = 10;
const PREVIOUS_CHECKSUM = 11;
const DURABLE_SEQUENCE = 16;
const JOURNAL_ID = 24;
const SEGMENT_READY = 25;
const SEGMENTS_INLINE = 26;
const FRAMES = 32;
const ROWS = 33;
const BYTES = 34;
const SYNCS = 35;
const SYNC_NS = 36;
const BUCKETS = 40;
const WORDS = BUCKETS + Math.ceil((SYNC_MS_BUCKETS.length + 1) / 8) * 8;

/** Bytes of shared memory that a head takes. */
export const JOURNAL_HEAD_BYTES = WORDS * 8;

export class JournalHead {
  readonly #ints: Int32Array;
  readonly #words: BigInt64Array;
  readonly #id: Uint8Array;

  constructor(shared: SharedArrayBuffer, byteOffset = 0) {
    this.#ints = new Int32Array(shared, byteOffset, 2);
    this.#words = new BigInt64Array(shared, byteOffset, WORDS);
    this.#id = new Uint8Array(shared, byteOffset + JOURNAL_ID * 8, 8);
  }

  /** Sets where the journal goes on, before any thread appends; all up to there must be synced. */
  start(journalId: string, end: JournalPosition, segmentReady: number): void {
    assert(journalId.length === 8 && segmentReady >= end.segment, 'a head starts from a recovered journal');
    for (let i = 0; i < 8; i++) this.#id[i] = journalId.charCodeAt(i);
    this.#set(SEGMENT_READY, segmentReady);
    this.#setEnd(end.segment, end.offset, end.nextSequence, end.previousChecksum);
  }

  get journalId(): string {
    return String.fromCharCode(...this.#id);
  }

  get nextSequence(): number {
    return this.#get(NEXT_SEQUENCE);
  }

  get segment(): number {
    return this.#get(SEGMENT);
  }

  get offset(): number {
    return this.#get(OFFSET);
  }

  get previousChecksum(): number {
    return this.#get(PREVIOUS_CHECKSUM);
  }

  /** The last sequence that is known to be on the disk. */
  get durableSequence(): number {
    return this.#get(DURABLE_SEQUENCE);
  }

  /** The highest segment that exists. */
  get segmentReady(): number {
    return this.#get(SEGMENT_READY);
  }

  /** Notes that segments up to `index` exist. */
  raiseSegmentReady(index: number): void {
    let ready = Atomics.load(this.#words, SEGMENT_READY);
    // Each failed exchange means that another thread raised it, so this ends.
    while (ready < BigInt(index)) {
      const seen = Atomics.compareExchange(this.#words, SEGMENT_READY, ready, BigInt(index));
      if (seen === ready) return;
      ready = seen;
    }
  }

  countSegmentInline(): void {
    Atomics.add(this.#words, SEGMENTS_INLINE, 1n);
  }

  /** What ended this journal for this process, or null while it works. */
  get failure(): JournalFailure | null {
    const code = Atomics.load(this.#ints, FAILURE);
    return code === 0 ? null : JOURNAL_FAILURES[code - 1]!;
  }

  /** Ends the journal for every thread; the first reason stays. */
  fail(failure: JournalFailure): void {
    Atomics.compareExchange(this.#ints, FAILURE, 0, JOURNAL_FAILURES.indexOf(failure) + 1);
  }

  /** Takes the lock; false when it could not be had in time. */
  lock(timeoutMs: number): boolean {
    for (let spin = 0; spin < LOCK_SPINS; spin++) {
      if (Atomics.compareExchange(this.#ints, LOCK, FREE, HELD) === FREE) return true;
    }
    const deadline = performance.now() + timeoutMs;
    // Marking it as waited for each time, also when it is got: another waiter may still sleep.
    while (Atomics.exchange(this.#ints, LOCK, WAITED) !== FREE) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      Atomics.wait(this.#ints, LOCK, WAITED, left);
    }
    return true;
  }

  unlock(): void {
    if (Atomics.exchange(this.#ints, LOCK, FREE) === WAITED) Atomics.notify(this.#ints, LOCK, 1);
  }

  /** Publishes a frame that has been written and synced. The caller holds the lock. */
  advance(
    segment: number,
    frameOffset: number,
    frameBytes: number,
    rows: number,
    checksum: number,
    syncMs: number,
  ): void {
    this.#add(FRAMES, 1);
    this.#add(ROWS, rows);
    this.#add(BYTES, frameBytes);
    this.#add(SYNCS, 1);
    this.#add(SYNC_NS, Math.round(syncMs * 1e6));
    let bucket = 0;
    while (bucket < SYNC_MS_BUCKETS.length && syncMs > SYNC_MS_BUCKETS[bucket]!) bucket++;
    this.#add(BUCKETS + bucket, 1);
    this.#setEnd(segment, frameOffset + frameBytes, this.nextSequence + rows, checksum);
  }

  /** Plain numbers of this moment. */
  stats(): JournalStats {
    return {
      segment: this.segment,
      segmentReady: this.segmentReady,
      segmentsInline: this.#get(SEGMENTS_INLINE),
      durableSequence: this.durableSequence,
      frames: this.#get(FRAMES),
      rows: this.#get(ROWS),
      bytes: this.#get(BYTES),
      syncs: this.#get(SYNCS),
      syncMs: this.#get(SYNC_NS) / 1e6,
      syncBuckets: Array.from({ length: SYNC_MS_BUCKETS.length + 1 }, (_, i) => this.#get(BUCKETS + i)),
      failure: this.failure,
    };
  }

  #setEnd(segment: number, offset: number, nextSequence: number, previousChecksum: number): void {
    this.#set(SEGMENT, segment);
    this.#set(OFFSET, offset);
    this.#set(PREVIOUS_CHECKSUM, previousChecksum);
    this.#set(NEXT_SEQUENCE, nextSequence);
    this.#set(DURABLE_SEQUENCE, nextSequence - 1);
  }

  #get(word: number): number {
    return wordNumber(Atomics.load(this.#words, word));
  }

  #set(word: number, value: number): void {
    Atomics.store(this.#words, word, BigInt(value));
  }

  #add(word: number, value: number): void {
    Atomics.add(this.#words, word, BigInt(value));
  }
}
