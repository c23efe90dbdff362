// Walks the answer records of a batch (layout: workers/protocol.ts). One cursor is reused for all of them.

import { ANSWER_HEAD_BYTES } from '../workers/protocol.js';

export class AnswerCursor {
  bytes: Buffer = Buffer.alloc(0);
  status = 0;
  kind = 0;
  flags = 0;
  #next = 0;
  #headStart = 0;
  #investorStart = 0;
  #bodyStart = 0;
  #bodyEnd = 0;

  open(answers: Buffer): void {
    this.bytes = answers;
    this.#next = 0;
  }

  /** Moves to the next answer; the caller knows how many there are. */
  next(): void {
    const at = this.#next;
    const { bytes } = this;
    this.#next = at + bytes.readUInt32LE(at);
    this.status = bytes.readUInt16LE(at + 4);
    this.kind = bytes[at + 6]!;
    this.flags = bytes[at + 7]!;
    this.#headStart = at + ANSWER_HEAD_BYTES;
    this.#investorStart = this.#headStart + bytes.readUInt16LE(at + 8);
    this.#bodyStart = this.#investorStart + bytes.readUInt16LE(at + 10);
    this.#bodyEnd = this.#bodyStart + bytes.readUInt32LE(at + 12);
  }

  /** Status line and headers as one text (workers/answer-writer.ts). */
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
