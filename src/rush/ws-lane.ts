// Attempts over one WebSocket as a gateway sends them: many in flight, each message with its own investor's token.

import type { Address } from './address.js';
import { type Answer, readAnswer } from './answer.js';
import { decodeBody, encodeMsgpack } from './codec.js';
import { type Lane, type LaneHandlers, type LaneOptions, type Outgoing, Reconnector } from './lane.js';
import { WsConnection } from './ws-connection.js';
import { OPCODE } from './ws-frame.js';

interface InFlight {
  readonly sentAtMs: number;
  /** More than one when a duplicate travels on the same connection; the node answers each. */
  readonly attempts: number[];
}

/** How every verdict in JSON may begin; ticks and outcomes of other investors are not worth parsing here. */
const VERDICT = Buffer.from('"verdict"');
const VERDICT_SEARCH_BYTES = 32;

export class WsLane implements Lane {
  readonly transport = 'ws';
  queued = false;
  readonly #address: Address;
  readonly #options: LaneOptions;
  readonly #outgoing: Outgoing;
  readonly #handlers: LaneHandlers;
  readonly #reconnector = new Reconnector(() => this.#connect());
  readonly #inFlight = new Map<string, InFlight>();
  #count = 0;
  #connection: WsConnection | undefined;
  #connected = false;

  constructor(address: Address, options: LaneOptions, outgoing: Outgoing, handlers: LaneHandlers) {
    this.#address = address;
    this.#options = options;
    this.#outgoing = outgoing;
    this.#handlers = handlers;
    this.#connect();
  }

  hasRoom(): boolean {
    return this.#connected && this.#count < this.#options.inFlightMax;
  }

  send(attempt: number): void {
    const key = this.#outgoing.key(attempt);
    const token = this.#outgoing.token(attempt);
    const amount = this.#outgoing.amount(attempt);
    const { currency, format } = this.#options;
    const entry = this.#inFlight.get(key);
    if (entry === undefined) this.#inFlight.set(key, { sentAtMs: performance.now(), attempts: [attempt] });
    else entry.attempts.push(attempt);
    this.#count++;
    if (format === 'msgpack') {
      this.#connection?.send(OPCODE.binary, encodeMsgpack({ type: 'invest', key, amount, currency, token }));
    } else {
      const text = `{"type":"invest","key":"${key}","amount":${amount},"currency":"${currency}","token":"${token}"}`;
      this.#connection?.send(OPCODE.text, Buffer.from(text, 'latin1'));
    }
  }

  expire(sentBeforeMs: number): void {
    const oldest = this.#inFlight.values().next().value;
    if (oldest !== undefined && oldest.sentAtMs < sentBeforeMs) this.#connection?.destroy('timeout');
  }

  close(): void {
    this.#reconnector.stop();
    this.#connection?.destroy('done');
  }

  #connect(): void {
    const { round, format } = this.#options;
    const path = `/v1/rounds/${round}/live`;
    this.#connection = new WsConnection(
      this.#address,
      { path, subprotocol: `openbell.v1+${format}` },
      {
        onConnected: () => {
          this.#connected = true;
          this.#reconnector.connected();
          this.#handlers.onRoom(this);
        },
        onMessage: (payload) => this.#message(payload),
        onClosed: (reason) => this.#lost(reason),
      },
    );
  }

  #message(payload: Buffer): void {
    const msgpack = this.#options.format === 'msgpack';
    if (!msgpack && !payload.subarray(0, VERDICT_SEARCH_BYTES).includes(VERDICT)) return;
    const message = decodeBody(payload, msgpack) as Record<string, unknown> | undefined;
    if (message?.type !== 'verdict' || typeof message.key !== 'string') return;
    const entry = this.#inFlight.get(message.key);
    const attempt = entry?.attempts.shift();
    if (entry === undefined || attempt === undefined) return;
    if (entry.attempts.length === 0) this.#inFlight.delete(message.key);
    this.#count--;
    this.#handlers.onAnswer(this, attempt, readVerdict(message));
    this.#handlers.onRoom(this);
  }

  #lost(reason: string): void {
    this.#connected = false;
    const attempts = [...this.#inFlight.values()].flatMap((entry) => entry.attempts);
    this.#inFlight.clear();
    this.#count = 0;
    if (attempts.length > 0) this.#handlers.onLost(this, attempts, reason);
    this.#reconnector.lost();
  }
}

/** The answer in a `verdict` message. */
function readVerdict(message: Readonly<Record<string, unknown>>): Answer {
  const status = typeof message.status === 'number' ? message.status : 0;
  return readAnswer(status, message.replayed === true, message.investment ?? message.problem);
}
