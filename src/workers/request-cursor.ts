// Walks the request records of a slab (layout: protocol.ts) without copying them.

import { IDEMPOTENCY_KEY_BYTES_MAX } from '../core/limits.js';
import { getU16, getU32 } from '../core/little-endian.js';
import { isKey } from '../core/row-layout.js';
import { Span } from '../core/span.js';
import { REQUEST_FLAG, REQUEST_HEAD_BYTES } from './protocol.js';

const QUOTE = 0x22;

/**
 * Narrows the text of an Idempotency-Key, bare or as a quoted string (the IETF draft's form), to the key; false when
 * it is bad.
 */
export function narrowToKey(span: Span): boolean {
  const { bytes, start, end } = span;
  if (end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE)
    span.set(bytes, start + 1, end - 1);
  return span.length > 0 && span.length <= IDEMPOTENCY_KEY_BYTES_MAX && isKey(bytes, span.start, span.end);
}

export class RequestCursor {
  bytes: Buffer = Buffer.alloc(0);
  kind = 0;
  round = 0;
  msgpackBody = false;
  msgpackAnswer = false;
  bodyStart = 0;
  bodyEnd = 0;
  /** The bearer token, or the investor of a live connection. */
  readonly token = new Span();
  /** The Idempotency-Key header as it came, or an investment's id. */
  readonly key = new Span();
  #next = 0;
  #end = 0;

  /** Starts at the first record of `bytes[0, length)`. */
  open(bytes: Buffer, length: number): void {
    this.bytes = bytes;
    this.#next = 0;
    this.#end = length;
  }

  /** Moves to the next record; false after the last. */
  next(): boolean {
    const at = this.#next;
    if (at >= this.#end) return false;
    const { bytes } = this;
    this.#next = at + getU32(bytes, at);
    this.kind = bytes[at + 4]!;
    const flags = bytes[at + 5]!;
    this.msgpackBody = (flags & REQUEST_FLAG.msgpackBody) !== 0;
    this.msgpackAnswer = (flags & REQUEST_FLAG.msgpackAnswer) !== 0;
    this.round = getU16(bytes, at + 6);
    const tokenStart = at + REQUEST_HEAD_BYTES;
    const keyStart = tokenStart + getU16(bytes, at + 8);
    this.token.set(bytes, tokenStart, keyStart);
    this.bodyStart = keyStart + bytes[at + 12]!;
    this.key.set(bytes, keyStart, this.bodyStart);
    this.bodyEnd = this.bodyStart + getU16(bytes, at + 10);
    return true;
  }
}
