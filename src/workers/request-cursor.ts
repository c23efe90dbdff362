// Walks the request records of a slab (layout: protocol.ts) without copying them.

import { IDEMPOTENCY_KEY_BYTES_MAX } from '../core/limits.js';
import { REQUEST_FLAG, REQUEST_HEAD_BYTES } from './protocol.js';

const KEY_PATTERN = /^[A-Za-z0-9_-]+$/;

/** The key of an Idempotency-Key header, bare or as a quoted string (the IETF draft's form); null when it is bad. */
export function readIdempotencyKey(header: string): string | null {
  const quoted = header.length >= 2 && header.startsWith('"') && header.endsWith('"');
  const key = quoted ? header.slice(1, -1) : header;
  return key.length <= IDEMPOTENCY_KEY_BYTES_MAX && KEY_PATTERN.test(key) ? key : null;
}

export class RequestCursor {
  bytes: Buffer = Buffer.alloc(0);
  kind = 0;
  round = 0;
  msgpackBody = false;
  msgpackAnswer = false;
  bodyStart = 0;
  bodyEnd = 0;
  #next = 0;
  #end = 0;
  #tokenStart = 0;
  #keyStart = 0;

  /** Starts at the first record of `memory[0, length)`. */
  open(memory: ArrayBuffer, length: number): void {
    this.bytes = Buffer.from(memory, 0, length);
    this.#next = 0;
    this.#end = length;
  }

  /** Moves to the next record; false after the last. */
  next(): boolean {
    const at = this.#next;
    if (at >= this.#end) return false;
    const { bytes } = this;
    this.#next = at + bytes.readUInt32LE(at);
    this.kind = bytes[at + 4]!;
    const flags = bytes[at + 5]!;
    this.msgpackBody = (flags & REQUEST_FLAG.msgpackBody) !== 0;
    this.msgpackAnswer = (flags & REQUEST_FLAG.msgpackAnswer) !== 0;
    this.round = bytes.readUInt16LE(at + 6);
    this.#tokenStart = at + REQUEST_HEAD_BYTES;
    this.#keyStart = this.#tokenStart + bytes.readUInt16LE(at + 8);
    this.bodyStart = this.#keyStart + bytes[at + 12]!;
    this.bodyEnd = this.bodyStart + bytes.readUInt16LE(at + 10);
    return true;
  }

  /** The bearer token, or the investor of a live connection. */
  token(): string {
    return this.bytes.latin1Slice(this.#tokenStart, this.#keyStart);
  }

  /** The Idempotency-Key header as it came, or an investment's id. */
  key(): string {
    return this.bytes.latin1Slice(this.#keyStart, this.bodyStart);
  }
}
