// Bytes of the index's records: base-128 varints and 48-bit times, written into one scratch slab per thread.
//
// A writer's result is a view of its slab, good until the next record is started: LMDB copies it inside the write
// transaction. A reader throws IndexDamage as soon as a record is not what the writer wrote: damage is never guessed at.

import { assert } from '../core/assert.js';
import { getU16, getU32, putU16, putU32 } from '../core/little-endian.js';
import { IndexDamage } from './index-damage.js';

/** Room for the largest record: an investor who took part in every round. */
const RECORD_BYTES_MAX = 16_384;
/** Below this, seven bits are one 32-bit operation. */
const SMALL = 0x8000_0000;
const WORD = 0x1_0000_0000;
const TIME_BYTES = 6;
/** In the year 10889. */
const TIME_MS_END = 2 ** 48;

export class RecordWriter {
  readonly #slab = Buffer.allocUnsafeSlow(RECORD_BYTES_MAX);
  #at = 0;

  /** Starts a new record; what `bytes` returned before is overwritten from here on. */
  start(): this {
    this.#at = 0;
    return this;
  }

  byte(value: number): void {
    this.#slab[this.#at++] = value;
  }

  /** An integer of 0..2^53-1 in one to eight bytes. */
  varint(value: number): void {
    assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'the index stores integers of 0 to 2^53-1');
    let rest = value;
    while (rest >= SMALL) {
      this.#slab[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest > 127) {
      this.#slab[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#slab[this.#at++] = rest;
  }

  u32(value: number): void {
    putU32(this.#slab, this.#at, value);
    this.#at += 4;
  }

  /** Milliseconds since the epoch; always six bytes, so that a time can be filled in later without moving a page. */
  time(ms: number): void {
    assert(ms >= 0 && ms < TIME_MS_END, 'a time of the index has 48 bits');
    putU32(this.#slab, this.#at, ms >>> 0);
    putU16(this.#slab, this.#at + 4, Math.floor(ms / WORD));
    this.#at += TIME_BYTES;
  }

  /** Characters of one byte each. */
  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#slab[this.#at++] = value.charCodeAt(i);
  }

  /** Takes over `bytes[0, length)`. */
  copy(bytes: Buffer, length: number): void {
    for (let from = 0; from < length; from++) this.#slab[this.#at++] = bytes[from]!;
  }

  /** The record, valid until the next `start`. */
  bytes(): Buffer {
    assert(this.#at <= RECORD_BYTES_MAX, 'a record of the index must fit its slab');
    return this.#slab.subarray(0, this.#at);
  }
}

export class RecordReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** Reads `bytes[from, end)`; `bytes` is not kept beyond the next record. */
  start(bytes: Buffer, end: number, from = 0): this {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = end;
    return this;
  }

  get more(): boolean {
    return this.#at < this.#end;
  }

  /** What is left to read. */
  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw new IndexDamage('record is cut short');
    return this.#bytes[this.#at++]!;
  }

  varint(): number {
    let next = this.byte();
    if (next < 128) return next;
    let value = next & 127;
    // Eight groups of seven bits hold 2^53-1, so this ends.
    for (let scale = 128; scale <= 2 ** 49; scale *= 128) {
      next = this.byte();
      value += (next & 127) * scale;
      if (next < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
    }
    throw new IndexDamage('number is out of range');
  }

  u32(): number {
    this.#need(4);
    this.#at += 4;
    return getU32(this.#bytes, this.#at - 4);
  }

  time(): number {
    this.#need(TIME_BYTES);
    this.#at += TIME_BYTES;
    return getU16(this.#bytes, this.#at - 2) * WORD + getU32(this.#bytes, this.#at - TIME_BYTES);
  }

  text(length: number): string {
    this.#need(length);
    this.#at += length;
    return this.#bytes.latin1Slice(this.#at - length, this.#at);
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#end) throw new IndexDamage('record is cut short');
  }
}
