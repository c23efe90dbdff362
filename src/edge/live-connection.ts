// One live connection: who it speaks for, what it waits for, and how its frames are written.

import type { WebSocket } from 'uWebSockets.js';
import { Unpackr } from 'msgpackr';
import {
  LIVE_BACKPRESSURE_BYTES_MAX,
  LIVE_NONSENSE_MAX,
  LIVE_TICK_BACKPRESSURE_BYTES,
} from '../core/limits.js';
import { packMsgpack } from '../core/msgpack.js';
import { PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import { ANSWER, ANSWER_FLAG } from '../workers/protocol.js';
import type { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';
import type { PendingAuth } from './live-auth.js';

/** What an upgrade leaves for the open connection. */
export interface LiveUser {
  readonly roundId: string;
  readonly roundNumber: number;
  readonly msgpack: boolean;
  /** The investor of the Authorization header; empty for a watcher. */
  readonly investor: string;
  readonly expiresAtMs: number;
  readonly investments: readonly unknown[];
  connection: LiveConnection | null;
}

export interface LiveConnectionModules {
  /** The round's view at this moment. */
  readonly round: (id: string) => unknown;
  /** The connection speaks for `investor` from now on, and no longer for `before` (empty: nobody). */
  readonly onIdentified: (connection: LiveConnection, before: string) => void;
}

/** RFC 6455, section 7.4.1, and the IANA registry of close codes. */
export const CLOSE = {
  undecodable: 1007,
  policy: 1008,
  tooBig: 1009,
  /** Try again later: this reader is too slow, or the node is full. */
  tryAgain: 1013,
  goingAway: 1001,
} as const;

const SENT = 1;
const SENT_DROPPED = 2;
const unpackr = new Unpackr({ useRecords: false });

export class LiveConnection implements AnswerTarget {
  readonly roundId: string;
  readonly roundNumber: number;
  readonly msgpack: boolean;
  investor: string;
  expiresAtMs: number;
  /** Requests without a verdict. */
  waiting = 0;
  /** An `auth` whose token is being looked at; what comes meanwhile waits behind it. */
  auth: PendingAuth | null = null;
  /** The round view that was sent last, to send only what changed. */
  lastTick: unknown = null;
  #ws: WebSocket<LiveUser> | null;
  #nonsense = 0;
  #corked = false;
  #closing: { readonly code: number; readonly reason: string } | null = null;
  readonly #modules: LiveConnectionModules;

  constructor(ws: WebSocket<LiveUser>, user: LiveUser, modules: LiveConnectionModules) {
    this.#ws = ws;
    this.#modules = modules;
    this.roundId = user.roundId;
    this.roundNumber = user.roundNumber;
    this.msgpack = user.msgpack;
    this.investor = user.investor;
    this.expiresAtMs = user.expiresAtMs;
  }

  /** The investor while the token lasts, else empty. */
  speaksFor(nowMs: number): string {
    return nowMs < this.expiresAtMs ? this.investor : '';
  }

  /** Neither side has closed it. */
  get isOpen(): boolean {
    return this.#ws !== null && this.#closing === null;
  }

  /** The client has gone: nothing is sent any more. */
  closed(): void {
    this.#ws = null;
  }

  answer(cursor: AnswerCursor): void {
    this.waiting--;
    if (cursor.kind === ANSWER.identified) this.#identified(cursor);
    else if (cursor.kind === ANSWER.live) {
      this.sendBytes(cursor.body(), (cursor.flags & ANSWER_FLAG.binary) !== 0);
      if ((cursor.flags & ANSWER_FLAG.undecodable) !== 0)
        this.close(CLOSE.undecodable, 'undecodable message');
      else if ((cursor.flags & ANSWER_FLAG.nonsense) !== 0) this.countNonsense();
    }
  }

  fail(problem: Problem): void {
    this.waiting--;
    this.send({ type: 'problem', problem: problemObject(problem) });
    // Which request it was is not known here any more; a client that reconnects asks again by key.
    this.close(CLOSE.tryAgain, problem.code);
  }

  cork(work: () => void): void {
    const ws = this.#ws;
    if (ws === null) {
      work();
      return;
    }
    this.#corked = true;
    ws.cork(work);
    this.#corked = false;
    // A close inside a cork would overtake what is corked.
    if (this.#closing !== null && this.#ws !== null) this.close(this.#closing.code, this.#closing.reason);
  }

  /** The first message, and again after `auth`. */
  welcome(investments: readonly unknown[]): void {
    const investor = this.investor === '' ? {} : { investor: this.investor };
    const round = this.#modules.round(this.roundId);
    this.send({ type: 'welcome', ...investor, investments, round });
  }

  /** A verdict that needs no shard: nothing was taken. */
  refuse(problem: Problem, key: string | null): void {
    const object = problemObject(problem);
    if (problem.retryAfterS !== undefined) object['retryAfter'] = problem.retryAfterS;
    if (key === null) this.send({ type: 'problem', problem: object });
    else {
      const { status } = PROBLEMS[problem.code];
      this.send({ type: 'verdict', key, status, replayed: false, problem: object });
    }
  }

  /** A progress tick, unless the reader is behind: ticks may be lost, verdicts never. False: it has to come again. */
  tick(bytes: string | Uint8Array): boolean {
    const ws = this.#ws;
    if (ws === null) return true;
    if (ws.getBufferedAmount() > LIVE_TICK_BACKPRESSURE_BYTES) return false;
    ws.send(bytes, this.msgpack);
    return true;
  }

  send(message: Record<string, unknown>): void {
    if (this.msgpack) this.sendBytes(packMsgpack(message), true);
    else this.sendBytes(JSON.stringify(message), false);
  }

  sendBytes(bytes: string | Uint8Array, binary: boolean): void {
    if (this.#ws === null || this.#closing !== null) return;
    const sent = this.#ws.send(bytes, binary);
    if (sent === SENT) return;
    // Closed while there is still room for the close frame: past the socket's own bound it would be dropped too.
    if (sent === SENT_DROPPED || this.#ws.getBufferedAmount() > LIVE_BACKPRESSURE_BYTES_MAX) {
      this.close(CLOSE.tryAgain, 'slow reader: ask again by key');
    }
  }

  countNonsense(): void {
    this.#nonsense++;
    if (this.#nonsense >= LIVE_NONSENSE_MAX) this.close(CLOSE.policy, 'too many invalid messages');
  }

  close(code: number, reason: string): void {
    if (this.#corked) {
      this.#closing ??= { code, reason };
      return;
    }
    const ws = this.#ws;
    this.#ws = null;
    ws?.end(code, reason);
  }

  #identified(cursor: AnswerCursor): void {
    // It has hung up meanwhile: the registry has forgotten it, and must not learn of it again.
    if (this.#ws === null) return;
    const before = this.investor;
    this.investor = cursor.investor();
    this.expiresAtMs = identityExpiryMs(cursor);
    this.#modules.onIdentified(this, before);
    this.welcome(decodeInvestments(cursor));
  }
}

/** When the token of an `identified` answer expires, in milliseconds since the epoch. */
export function identityExpiryMs(cursor: AnswerCursor): number {
  return Math.min(JSON.parse(cursor.head()) as number, Number.MAX_SAFE_INTEGER);
}

/** The `investments` member that a shard encoded. */
export function decodeInvestments(cursor: AnswerCursor): readonly unknown[] {
  if ((cursor.flags & ANSWER_FLAG.binary) === 0) return JSON.parse(cursor.bodyText()) as unknown[];
  return unpackr.unpack(Buffer.from(cursor.body())) as unknown[];
}
