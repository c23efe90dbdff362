// The messages of a live connection are taken in order. An `auth` changes whom those behind it speak for, and whether it
// does is known when its shard has seen the token: so they wait until then.

import { isTextAt } from '../core/ascii.js';
import { LIVE_HELD_MAX } from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import type { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';
import type { LiveConnection } from './live-connection.js';

const INVEST_JSON = '{"type":"invest"';
/** Behind the byte that says how many members there are. */
const INVEST_PACKED = '\xa4type\xa6invest';

/** Waits for the shard's word on the token of an `auth`. */
export class PendingAuth implements AnswerTarget {
  readonly #connection: LiveConnection;
  readonly #take: (frame: Uint8Array) => void;
  readonly #held: Uint8Array[] = [];

  /** @param take takes a message that had to wait */
  constructor(connection: LiveConnection, take: (frame: Uint8Array) => void) {
    this.#connection = connection;
    this.#take = take;
  }

  /** Keeps a copy of a message until the token is known; false when too many wait. */
  hold(frame: Uint8Array): boolean {
    if (this.#held.length >= LIVE_HELD_MAX) return false;
    this.#held.push(Uint8Array.from(frame));
    return true;
  }

  answer(cursor: AnswerCursor): void {
    this.#connection.answer(cursor);
    this.#goOn();
  }

  fail(problem: Problem): void {
    this.#connection.fail(problem);
    this.#goOn();
  }

  cork(work: () => void): void {
    this.#connection.cork(work);
  }

  #goOn(): void {
    this.#connection.auth = null;
    // Another `auth` among them makes those behind it wait again. Of a connection that is over nobody can say whom
    // they are of, and nobody would hear of it.
    for (const frame of this.#held) if (this.#connection.isOpen) this.#take(frame);
  }
}

/** True for what can be no `auth`: nearly all messages are an `invest` that says so first. */
export function beginsAsInvest(frame: Uint8Array, isBinary: boolean): boolean {
  return isBinary ? isTextAt(frame, 1, INVEST_PACKED) : isTextAt(frame, 0, INVEST_JSON);
}
