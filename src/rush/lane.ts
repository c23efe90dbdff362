// A lane is one connection that carries attempts and comes back by itself when it is lost, whatever its protocol.

import type { Answer } from './answer.js';

/** Where a lane takes an attempt's parts from. */
export interface Outgoing {
  token(attempt: number): string;
  key(attempt: number): string;
  /** Minor units. */
  amount(attempt: number): number;
}

export type Format = 'json' | 'msgpack';

export interface LaneOptions {
  readonly round: string;
  readonly currency: string;
  readonly format: Format;
  /** Messages in flight at most; an HTTP lane has always one. */
  readonly inFlightMax: number;
}

export interface LaneHandlers {
  /** The lane may take more: it has connected, or an answer has made room. */
  onRoom(lane: Lane): void;
  onAnswer(lane: Lane, attempt: number, answer: Answer): void;
  /** The connection is gone and these attempts have no answer. */
  onLost(lane: Lane, attempts: readonly number[], reason: string): void;
}

export interface Lane {
  readonly transport: 'http' | 'ws';
  /** Kept by the dispatcher: whether the lane stands in its queue of lanes with room. */
  queued: boolean;
  /** True if an attempt can be sent now. */
  hasRoom(): boolean;
  send(attempt: number): void;
  /** Gives the connection up if something sent before `sentBeforeMs` is still without an answer. */
  expire(sentBeforeMs: number): void;
  close(): void;
}

const RECONNECT_FIRST_MS = 25;
const RECONNECT_MAX_MS = 1_000;

/** Connects again after a loss, waiting twice as long each time that it fails. */
export class Reconnector {
  readonly #connect: () => void;
  #delayMs = RECONNECT_FIRST_MS;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(connect: () => void) {
    this.#connect = connect;
  }

  connected(): void {
    this.#delayMs = RECONNECT_FIRST_MS;
  }

  lost(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(this.#connect, this.#delayMs);
    this.#delayMs = Math.min(RECONNECT_MAX_MS, this.#delayMs * 2);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
