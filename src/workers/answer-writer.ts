// Builds the slab of answers of one batch (layout: protocol.ts), in the memory that the front end reads, or in memory
// of its own when an answer does not fit there any more.

import { putU16, putU32 } from '../core/little-endian.js';
import { PROBLEM_CONTENT_TYPE, PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import { statusLine } from '../core/status-line.js';
import { ANSWER, ANSWER_FLAG, ANSWER_HEAD_BYTES } from './protocol.js';

export type LiveFault = 'none' | 'nonsense' | 'undecodable';

/**
 * Status line and headers as one text, lines parted by CRLF: uWebSockets.js writes a status verbatim, so that one
 * call carries them all. Only constants, ids and slugs ever enter it.
 */
export function problemHead(problem: Problem): string {
  let head = `${statusLine(PROBLEMS[problem.code].status)}\r\nContent-Type: ${PROBLEM_CONTENT_TYPE}`;
  if (problem.retryAfterS !== undefined) head += `\r\nRetry-After: ${problem.retryAfterS}`;
  if (problem.code === 'unauthenticated') head += '\r\nWWW-Authenticate: Bearer';
  return head;
}

export class AnswerWriter {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  #isOverflow = false;

  /** Starts a batch in this memory. */
  open(memory: Buffer): void {
    this.#bytes = memory;
    this.#length = 0;
    this.#isOverflow = false;
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** The answers when the given memory was too small for them, else null. */
  get overflow(): ArrayBuffer | null {
    return this.#isOverflow ? (this.#bytes.buffer as ArrayBuffer) : null;
  }

  /** The memory to write a record into; another one after `reserve`. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Makes room for a record with this much text, and answers where its text starts: `record` completes it. */
  reserve(textBytes: number): number {
    const needed = this.#length + ANSWER_HEAD_BYTES + textBytes + 3;
    if (needed > this.#bytes.length) this.#grow(needed);
    return this.#length + ANSWER_HEAD_BYTES;
  }

  /**
   * Completes the record whose text lies from `reserve` on: a head up to `headEnd`, an investor up to `investorEnd`,
   * a body up to `end`.
   */
  record(
    kind: number,
    flags: number,
    status: number,
    headEnd: number,
    investorEnd: number,
    end: number,
  ): void {
    const bytes = this.#bytes;
    const at = this.#length;
    const padded = (end - at + 3) & ~3;
    putU32(bytes, at, padded);
    putU16(bytes, at + 4, status);
    bytes[at + 6] = kind;
    bytes[at + 7] = flags;
    putU16(bytes, at + 8, headEnd - at - ANSWER_HEAD_BYTES);
    putU16(bytes, at + 10, investorEnd - headEnd);
    putU32(bytes, at + 12, end - investorEnd);
    this.#length = at + padded;
  }

  /** An HTTP answer; `body` is text of ASCII, or bytes. */
  http(status: number, head: string, body: string | Buffer): void {
    this.#texts(ANSWER.http, 0, status, head, '', body);
  }

  /** A problem as an HTTP answer. */
  problem(problem: Problem): void {
    this.http(PROBLEMS[problem.code].status, problemHead(problem), asciiJson(problemObject(problem)));
  }

  /** A frame for a live connection. */
  live(status: number, binary: boolean, body: string | Buffer, fault: LiveFault): void {
    let flags = binary ? ANSWER_FLAG.binary : 0;
    if (fault === 'nonsense') flags |= ANSWER_FLAG.nonsense;
    if (fault === 'undecodable') flags |= ANSWER_FLAG.undecodable;
    this.#texts(ANSWER.live, flags, status, '', '', body);
  }

  /** Who a live connection is; `expiresAt` (ms) travels in the head. */
  identified(investor: string, expiresAtMs: number, binary: boolean, investments: string | Buffer): void {
    const flags = binary ? ANSWER_FLAG.binary : 0;
    this.#texts(ANSWER.identified, flags, 200, String(expiresAtMs), investor, investments);
  }

  misrouted(shard: number): void {
    this.#texts(ANSWER.misrouted, 0, shard, '', '', '');
  }

  #texts(
    kind: number,
    flags: number,
    status: number,
    head: string,
    investor: string,
    body: string | Buffer,
  ): void {
    const start = this.reserve(head.length + investor.length + body.length);
    const bytes = this.#bytes;
    const headEnd = start + head.length;
    const investorEnd = headEnd + investor.length;
    if (head.length > 0) bytes.latin1Write(head, start);
    if (investor.length > 0) bytes.latin1Write(investor, headEnd);
    if (typeof body === 'string') bytes.latin1Write(body, investorEnd);
    else bytes.set(body, investorEnd);
    this.record(kind, flags, status, headEnd, investorEnd, investorEnd + body.length);
  }

  #grow(needed: number): void {
    // Its own memory, not the pool's: it is transferred.
    const larger = Buffer.from(new ArrayBuffer(Math.max(needed, 2 * this.#bytes.length)));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#isOverflow = true;
  }
}

/** JSON with everything outside ASCII escaped, so that its length in bytes is its length. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
