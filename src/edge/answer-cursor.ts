// Walks the answer records of a batch (layout: workers/protocol.ts). One cursor is reused for all of them.

import { getU16, getU32 } from '../core/little-endian.js';
import { ANSWER_HEAD_BYTES } from '../workers/protocol.js';
import { AnswerText } from './answer-text.js';

export class AnswerCursor {
  bytes: Buffer = Buffer.alloc(0);
  status = 0;
  kind = 0;
  flags = 0;
  #words: Int32Array = new Int32Array(0);
  readonly #text = new AnswerText();
  #next = 0;
  #headStart = 0;
  #investorStart = 0;
  #bodyStart = 0;
  #bodyEnd = 0;

  open(answers: Buffer): void {
    this.bytes = answers;
    this.#words = new Int32Array(answers.buffer, answers.byteOffset, answers.length >>> 2);
    this.#next = 0;
  }

  /** Moves to the next answer; the caller knows how many there are. */
  next(): void {
    const at = this.#next;
    const { bytes } = this;
    this.#next = at + getU32(bytes, at);
    this.status = getU16(bytes, at + 4);
    this.kind = bytes[at + 6]!;
    this.flags = bytes[at + 7]!;
    this.#headStart = at + ANSWER_HEAD_BYTES;
    this.#investorStart = this.#headStart + getU16(bytes, at + 8);
    this.#bodyStart = this.#investorStart + getU16(bytes, at + 10);
    this.#bodyEnd = this.#bodyStart + getU32(bytes, at + 12);
  }

  /** Head (workers/answer-writer.ts) and body of an HTTP answer, good until the next call: send them at once. */
  httpText(): AnswerText {
    const headBytes = this.#investorStart - this.#headStart;
    this.#text.load(this.#words, this.#headStart >>> 2, headBytes, this.#bodyEnd - this.#bodyStart);
    return this.#text;
  }

  head(): string {
    return this.bytes.latin1Slice(this.#headStart, this.#investorStart);
  }

  investor(): string {
    return this.bytes.latin1Slice(this.#investorStart, this.#bodyStart);
  }

  /** A view, good until the slab is handed on: send it at once. */
  body(): Uint8Array {
    return this.bytes.subarray(this.#bodyStart, this.#bodyEnd);
  }

  /** The body of a JSON answer, which is ASCII. */
  bodyText(): string {
    return this.bytes.latin1Slice(this.#bodyStart, this.#bodyEnd);
  }
}
