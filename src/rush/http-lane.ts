// Attempts over one HTTP connection: one POST at a time.

import type { Address } from './address.js';
import { readAnswer } from './answer.js';
import { decodeBody, encodeMsgpack } from './codec.js';
import { HttpConnection } from './http-connection.js';
import type { HttpResponse } from './http-response.js';
import { type Lane, type LaneHandlers, type LaneOptions, type Outgoing, Reconnector } from './lane.js';

const IDLE = -1;

/** The request of one investment as a string of bytes. */
export function investmentRequest(
  address: Address,
  options: Pick<LaneOptions, 'round' | 'currency' | 'format'>,
  investment: { readonly token: string; readonly key: string; readonly amount: number },
): string {
  const { currency } = options;
  const body =
    options.format === 'json'
      ? `{"amount":${investment.amount},"currency":"${currency}"}`
      : encodeMsgpack({ amount: investment.amount, currency }).toString('latin1');
  return (
    `POST /v1/rounds/${options.round}/investments HTTP/1.1\r\nHost: ${address.authority}\r\n` +
    `Authorization: Bearer ${investment.token}\r\nIdempotency-Key: ${investment.key}\r\n` +
    `Content-Type: application/${options.format}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  );
}

export class HttpLane implements Lane {
  readonly transport = 'http';
  queued = false;
  readonly #address: Address;
  readonly #options: LaneOptions;
  readonly #outgoing: Outgoing;
  readonly #handlers: LaneHandlers;
  readonly #reconnector = new Reconnector(() => this.#connect());
  #connection: HttpConnection | undefined;
  #connected = false;
  #attempt = IDLE;
  #sentAtMs = 0;

  constructor(address: Address, options: LaneOptions, outgoing: Outgoing, handlers: LaneHandlers) {
    this.#address = address;
    this.#options = options;
    this.#outgoing = outgoing;
    this.#handlers = handlers;
    this.#connect();
  }

  hasRoom(): boolean {
    return this.#connected && this.#attempt === IDLE;
  }

  send(attempt: number): void {
    this.#attempt = attempt;
    this.#sentAtMs = performance.now();
    const outgoing = this.#outgoing;
    const investment = {
      token: outgoing.token(attempt),
      key: outgoing.key(attempt),
      amount: outgoing.amount(attempt),
    };
    this.#connection?.write(investmentRequest(this.#address, this.#options, investment));
  }

  expire(sentBeforeMs: number): void {
    if (this.#attempt !== IDLE && this.#sentAtMs < sentBeforeMs) this.#connection?.destroy('timeout');
  }

  close(): void {
    this.#reconnector.stop();
    this.#connection?.destroy('done');
  }

  #connect(): void {
    this.#connection = new HttpConnection(this.#address, {
      onConnected: () => {
        this.#connected = true;
        this.#reconnector.connected();
        this.#handlers.onRoom(this);
      },
      onResponse: (response) => this.#answered(response),
      onClosed: (reason) => this.#lost(reason),
    });
  }

  #answered(response: HttpResponse): void {
    const attempt = this.#attempt;
    if (attempt === IDLE) {
      this.#connection?.destroy('answer without a request');
      return;
    }
    this.#attempt = IDLE;
    if (response.close) this.#connected = false;
    const body = decodeBody(response.body, response.msgpack);
    this.#handlers.onAnswer(this, attempt, readAnswer(response.status, response.replayed, body));
    if (this.#connected) this.#handlers.onRoom(this);
  }

  #lost(reason: string): void {
    this.#connected = false;
    const attempt = this.#attempt;
    this.#attempt = IDLE;
    if (attempt !== IDLE) this.#handlers.onLost(this, [attempt], reason);
    this.#reconnector.lost();
  }
}
