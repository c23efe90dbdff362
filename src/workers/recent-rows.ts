// The rows of a shard that the index does not hold yet, as bytes: the frames of its journal appends stay where they
// were made, and beside them a few flat arrays say where each row is and which row of the same bucket came before.
//
//   chunks    CHUNK_BYTES each, frames one after another; the oldest is let go whole when its last row is indexed
//   rows      ring of slots by row number: place, sequence, hash of the investor, older row of the bucket
//   buckets   newest row number of each bucket of hashes
//
// Rows come at one end and go at the other, so nothing is ever removed from a bucket: a row number below the first one
// means that the rest of the chain is indexed. No object is made per row, for in a rush those that live until they are
// indexed are most of what a collector has to copy.

import { assert } from '../core/assert.js';
import { InvestorName } from '../core/investor.js';
import { FRAME_ALIGN_BYTES } from '../core/journal-format.js';
import { BATCH_FRAME_BYTES_MAX, RECENT_CHUNK_BYTES } from '../core/limits.js';
import { getU16 } from '../core/little-endian.js';
import { decodeRow } from '../core/row-codec.js';
import { ROW_AT, ROW_KIND, ROW_TEXT_AT } from '../core/row-layout.js';
import type { OutcomeRow, VerdictRow } from '../core/rows.js';
import type { Span } from '../core/span.js';
import { FrameBuilder } from './journal-frame.js';

const FIRST_SLOTS = 4096;
/** Buckets per slot: chains stay short. */
const BUCKETS_PER_SLOT = 2;
const NONE = -1;

export class RecentRows {
  /** The frame in the making; `open` starts one. */
  readonly frame = new FrameBuilder();
  readonly #chunks: Buffer[] = [];
  /** Number of the oldest chunk. */
  #firstChunk = 0;
  /** Bytes used of the newest chunk. */
  #used = RECENT_CHUNK_BYTES;
  #spare: Buffer | null = null;
  #mask = FIRST_SLOTS - 1;
  /** Chunk number times RECENT_CHUNK_BYTES plus the offset there. */
  #places = new Float64Array(FIRST_SLOTS);
  #sequences = new Float64Array(FIRST_SLOTS);
  #hashes = new Uint32Array(FIRST_SLOTS);
  #older = new Float64Array(FIRST_SLOTS);
  #buckets = new Float64Array(FIRST_SLOTS * BUCKETS_PER_SLOT).fill(NONE);
  /** Oldest row number that is kept, and the next one. */
  #first = 0;
  #next = 0;
  /** First row of the frame in the making. */
  #frameFirst = 0;
  readonly #name = new InvestorName();

  get size(): number {
    return this.#next - this.#first;
  }

  /** The number that the next row will have. */
  get next(): number {
    return this.#next;
  }

  /** Bytes of memory held, rows and tables. */
  get bytes(): number {
    const perSlot = 8 + 8 + 4 + 8 + BUCKETS_PER_SLOT * 8;
    return this.#chunks.length * RECENT_CHUNK_BYTES + (this.#mask + 1) * perSlot;
  }

  /** Starts a frame. */
  open(): void {
    assert(this.#next === this.#frameFirst, 'a frame with rows is committed before the next one');
    if (this.#used + BATCH_FRAME_BYTES_MAX > RECENT_CHUNK_BYTES) this.#addChunk();
    this.frame.open(this.#newest.subarray(this.#used));
  }

  /** Adds a verdict to the frame and answers its row number. */
  addVerdict(
    at: number,
    round: number,
    code: number,
    amount: number,
    extra: number,
    investor: InvestorName,
    key: Span,
  ): number {
    const place = this.#placeOfNext();
    this.frame.addVerdict(at, round, code, amount, extra, investor, key);
    return this.#add(place, investor.hash);
  }

  /** Adds an outcome to the frame and answers its row number. */
  addOutcome(row: OutcomeRow, hash: number): number {
    const place = this.#placeOfNext();
    this.frame.add(row);
    return this.#add(place, hash);
  }

  /** The frame is durable, and its rows have these sequences, densely. */
  committed(firstSequence: number): void {
    for (let row = this.#frameFirst; row < this.#next; row++) {
      this.#sequences[row & this.#mask] = firstSequence + row - this.#frameFirst;
    }
    this.#used += this.frame.bytes;
    this.#frameFirst = this.#next;
  }

  /**
   * Takes in a frame that is in the journal and not in the index: at a start, when there is no frame in the making.
   * @param isMine whether this shard owns investors of that hash; rows of others, and of rounds, are passed over
   */
  restore(payload: Buffer, firstSequence: number, count: number, isMine: (hash: number) => boolean): void {
    if (this.#used + payload.length > RECENT_CHUNK_BYTES) this.#addChunk();
    const bytes = this.#newest;
    const from = this.#used;
    payload.copy(bytes, from);
    this.#used += alignFrame(payload.length);
    const chunkPlace = (this.#firstChunk + this.#chunks.length - 1) * RECENT_CHUNK_BYTES;
    let at = from;
    for (let sequence = firstSequence; sequence < firstSequence + count; sequence++) {
      const kind = bytes[at + ROW_AT.kind];
      if (kind === ROW_KIND.verdict || kind === ROW_KIND.outcome) {
        const investorAt = investorOf(bytes, at);
        this.#name.set(bytes, investorAt, investorAt + bytes[at + ROW_AT.investorBytes]!);
        assert(this.#name.take(), 'a row of the journal names an investor');
        if (isMine(this.#name.hash)) {
          this.#sequences[this.#add(chunkPlace + at, this.#name.hash) & this.#mask] = sequence;
        }
      }
      at += getU16(bytes, at);
    }
    assert(at - from === payload.length, 'the rows of a frame fill it');
    this.#frameFirst = this.#next;
  }

  /** Lets go of the rows up to this sequence: the index holds them. */
  dropThrough(sequence: number): void {
    while (this.#first < this.#frameFirst && this.#sequences[this.#first & this.#mask]! <= sequence) {
      this.#first++;
    }
    const oldest =
      this.#first < this.#next
        ? Math.floor(this.#places[this.#first & this.#mask]! / RECENT_CHUNK_BYTES)
        : this.#firstChunk + this.#chunks.length - 1;
    while (this.#firstChunk < oldest) {
      this.#spare = this.#chunks.shift() ?? null;
      this.#firstChunk++;
    }
  }

  /** The newest row of the bucket of this hash, or -1. */
  newest(hash: number): number {
    const row = this.#buckets[hash & (this.#buckets.length - 1)]!;
    return row >= this.#first ? row : NONE;
  }

  /** The row of the same bucket before this one, or -1. */
  older(row: number): number {
    const before = this.#older[row & this.#mask]!;
    return before >= this.#first ? before : NONE;
  }

  /** True when the row is this investor's. */
  isOf(row: number, name: InvestorName): boolean {
    if (this.#hashes[row & this.#mask] !== name.hash) return false;
    const bytes = this.bytesOf(row);
    const at = this.offset(row);
    const investorAt = investorOf(bytes, at);
    return name.equals(bytes, investorAt, investorAt + bytes[at + ROW_AT.investorBytes]!);
  }

  /** 0 while the row's frame is in the making. */
  sequence(row: number): number {
    return row >= this.#frameFirst ? 0 : this.#sequences[row & this.#mask]!;
  }

  /** The chunk that holds the row; `offset` says where. */
  bytesOf(row: number): Buffer {
    const chunk = Math.floor(this.#places[row & this.#mask]! / RECENT_CHUNK_BYTES);
    return this.#chunks[chunk - this.#firstChunk]!;
  }

  offset(row: number): number {
    return this.#places[row & this.#mask]! % RECENT_CHUNK_BYTES;
  }

  /** The row as an object. */
  read(number: number): VerdictRow | OutcomeRow {
    const sequence = this.sequence(number);
    // A row that refers to one before it is checked against its own sequence, which it may not have yet.
    const read = decodeRow(this.bytesOf(number), this.offset(number), sequence || Number.MAX_SAFE_INTEGER);
    const row = read.ok ? read.value : null;
    assert(row?.kind === 'verdict' || row?.kind === 'outcome', () => `row ${sequence} is damaged in memory`);
    return { ...row, sequence };
  }

  /** The rows of an investor, oldest first. */
  rowsOf(name: InvestorName): (VerdictRow | OutcomeRow)[] {
    const rows: (VerdictRow | OutcomeRow)[] = [];
    for (let row = this.newest(name.hash); row >= 0; row = this.older(row)) {
      if (this.isOf(row, name)) rows.push(this.read(row));
    }
    return rows.reverse();
  }

  get #newest(): Buffer {
    return this.#chunks[this.#chunks.length - 1]!;
  }

  #addChunk(): void {
    this.#chunks.push(this.#spare ?? Buffer.allocUnsafeSlow(RECENT_CHUNK_BYTES));
    this.#spare = null;
    this.#used = 0;
  }

  /** Where the next row of the frame will be. */
  #placeOfNext(): number {
    return (this.#firstChunk + this.#chunks.length - 1) * RECENT_CHUNK_BYTES + this.#used + this.frame.end;
  }

  #add(place: number, hash: number): number {
    if (this.size > this.#mask) this.#grow();
    const row = this.#next++;
    const slot = row & this.#mask;
    const bucket = hash & (this.#buckets.length - 1);
    this.#places[slot] = place;
    this.#hashes[slot] = hash;
    this.#older[slot] = this.#buckets[bucket]!;
    this.#buckets[bucket] = row;
    return row;
  }

  /** Twice the slots; the buckets are filled anew, oldest row first. */
  #grow(): void {
    const oldMask = this.#mask;
    const [places, sequences, hashes] = [this.#places, this.#sequences, this.#hashes];
    const slots = 2 * (oldMask + 1);
    this.#mask = slots - 1;
    this.#places = new Float64Array(slots);
    this.#sequences = new Float64Array(slots);
    this.#hashes = new Uint32Array(slots);
    this.#older = new Float64Array(slots);
    this.#buckets = new Float64Array(slots * BUCKETS_PER_SLOT).fill(NONE);
    const end = this.#next;
    this.#next = this.#first;
    while (this.#next < end) {
      const old = this.#next & oldMask;
      const slot = this.#add(places[old]!, hashes[old]!) & this.#mask;
      this.#sequences[slot] = sequences[old]!;
    }
  }
}

/** Where the investor of the verdict or outcome at `at` is. */
const investorOf = (bytes: Buffer, at: number): number =>
  at + (bytes[at + ROW_AT.kind] === ROW_KIND.verdict ? ROW_TEXT_AT.verdict : ROW_TEXT_AT.outcome);

const alignFrame = (bytes: number): number => Math.ceil(bytes / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
