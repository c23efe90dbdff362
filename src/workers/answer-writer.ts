// Builds the slab of answers of one batch (layout: protocol.ts).

import { PROBLEM_CONTENT_TYPE, PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import { statusLine } from '../core/status-line.js';
import { ANSWER, ANSWER_FLAG, ANSWER_HEAD_BYTES } from './protocol.js';

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
  #bytes: Buffer;
  #length = 0;

  constructor(memory: ArrayBuffer) {
    this.#bytes = Buffer.from(memory);
  }

  /** The memory that holds the answers; it may have grown. */
  get memory(): ArrayBuffer {
    return this.#bytes.buffer as ArrayBuffer;
  }

  /** An HTTP answer; `body` is text of ASCII, or bytes. */
  http(status: number, head: string, body: string | Buffer): void {
    this.#record(ANSWER.http, 0, status, head, '', body);
  }

  /** A problem as an HTTP answer. */
  problem(problem: Problem): void {
    this.http(PROBLEMS[problem.code].status, problemHead(problem), asciiJson(problemObject(problem)));
  }

  /** A frame for a live connection. */
  live(
    status: number,
    binary: boolean,
    body: string | Buffer,
    fault: 'none' | 'nonsense' | 'undecodable',
  ): void {
    let flags = binary ? ANSWER_FLAG.binary : 0;
    if (fault === 'nonsense') flags |= ANSWER_FLAG.nonsense;
    if (fault === 'undecodable') flags |= ANSWER_FLAG.undecodable;
    this.#record(ANSWER.live, flags, status, '', '', body);
  }

  /** Who a live connection is; `expiresAt` (ms) travels in the head. */
  identified(investor: string, expiresAtMs: number, binary: boolean, investments: string | Buffer): void {
    this.#record(
      ANSWER.identified,
      binary ? ANSWER_FLAG.binary : 0,
      200,
      String(expiresAtMs),
      investor,
      investments,
    );
  }

  misrouted(shard: number): void {
    this.#record(ANSWER.misrouted, 0, shard, '', '', '');
  }

  #record(
    kind: number,
    flags: number,
    status: number,
    head: string,
    investor: string,
    body: string | Buffer,
  ): void {
    const length = ANSWER_HEAD_BYTES + head.length + investor.length + body.length;
    const padded = (length + 3) & ~3;
    this.#reserve(padded);
    const bytes = this.#bytes;
    const at = this.#length;
    bytes.writeUInt32LE(padded, at);
    bytes.writeUInt16LE(status, at + 4);
    bytes[at + 6] = kind;
    bytes[at + 7] = flags;
    bytes.writeUInt16LE(head.length, at + 8);
    bytes.writeUInt16LE(investor.length, at + 10);
    bytes.writeUInt32LE(body.length, at + 12);
    let to = at + ANSWER_HEAD_BYTES;
    if (head.length > 0) bytes.latin1Write(head, to);
    to += head.length;
    if (investor.length > 0) bytes.latin1Write(investor, to);
    to += investor.length;
    if (typeof body === 'string') bytes.latin1Write(body, to);
    else bytes.set(body, to);
    this.#length = at + padded;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    // Its own memory, not the pool's: it is transferred.
    const larger = Buffer.from(new ArrayBuffer(Math.max(needed, 2 * this.#bytes.length)));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** JSON with everything outside ASCII escaped, so that its length in bytes is its length. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
