// Single questions to the public port, many at a time over a few connections: what preparation and checks use.

import type { Address } from './address.js';
import { decodeBody } from './codec.js';
import { Fifo } from './fifo.js';
import { HttpConnection } from './http-connection.js';
import type { HttpResponse } from './http-response.js';

export interface Reply {
  /** 0: no answer came, so whatever was asked for may or may not have happened. */
  readonly status: number;
  /** Why there was no answer. */
  readonly reason: string;
  readonly replayed: boolean;
  readonly retryAfterS: number;
  /** Decoded; undefined if it could not be. */
  readonly body: unknown;
}

interface Call {
  readonly request: string;
  readonly resolve: (reply: Reply) => void;
}

interface Slot {
  connection: HttpConnection | undefined;
  call: Call | undefined;
  connected: boolean;
  timer: NodeJS.Timeout | undefined;
}

const CALL_TIMEOUT_MS = 10_000;
const PAUSE_FIRST_MS = 20;
const PAUSE_MAX_MS = 1_000;

const isSettled = ({ status }: Reply): boolean => status !== 0 && status !== 429 && status < 500;

export class HttpCaller {
  readonly #address: Address;
  readonly #waiting = new Fifo<Call>();
  readonly #slots: Slot[];
  readonly #timeoutMs: number;

  constructor(address: Address, connections: number, timeoutMs: number = CALL_TIMEOUT_MS) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
    const empty = (): Slot => ({
      connection: undefined,
      call: undefined,
      connected: false,
      timer: undefined,
    });
    this.#slots = Array.from({ length: connections }, empty);
  }

  /** A GET without a body, ready to be sent. */
  getRequest(path: string, token?: string): string {
    const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
    return `GET ${path} HTTP/1.1\r\nHost: ${this.#address.authority}\r\n${authorization}\r\n`;
  }

  /** Sends once. */
  once(request: string): Promise<Reply> {
    return new Promise((resolve) => {
      this.#waiting.push({ request, resolve });
      this.#pump();
    });
  }

  /** Sends until there is an answer other than 429 or 5xx, or until the time is up; then returns the last one. */
  async ask(request: string, patienceMs: number): Promise<Reply> {
    const deadline = performance.now() + patienceMs;
    let reply = await this.once(request);
    let pauseMs = PAUSE_FIRST_MS;
    while (!isSettled(reply) && performance.now() + pauseMs <= deadline) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2);
      reply = await this.once(request);
    }
    return reply;
  }

  close(): void {
    for (const slot of this.#slots) slot.connection?.destroy('done');
  }

  #pump(): void {
    for (const slot of this.#slots) {
      if (this.#waiting.size === 0) return;
      if (slot.call === undefined) this.#start(slot, this.#waiting.shift() as Call);
    }
  }

  #start(slot: Slot, call: Call): void {
    slot.call = call;
    slot.timer = setTimeout(() => slot.connection?.destroy('timeout'), this.#timeoutMs);
    if (slot.connected) slot.connection?.write(call.request);
    else this.#connect(slot);
  }

  #connect(slot: Slot): void {
    const connection: HttpConnection = new HttpConnection(this.#address, {
      onConnected: () => {
        slot.connected = true;
        if (slot.call !== undefined) connection.write(slot.call.request);
      },
      onResponse: (response) => this.#answered(slot, response),
      onClosed: (reason) => {
        if (slot.connection !== connection) return; // the slot has moved on to another one
        slot.connected = false;
        slot.connection = undefined;
        this.#end(slot, { status: 0, reason, replayed: false, retryAfterS: 0, body: undefined });
      },
    });
    slot.connection = connection;
  }

  #answered(slot: Slot, response: HttpResponse): void {
    const { status, replayed, retryAfterS } = response;
    const body = decodeBody(response.body, response.msgpack);
    if (response.close) slot.connected = false;
    this.#end(slot, { status, reason: '', replayed, retryAfterS, body });
  }

  #end(slot: Slot, reply: Reply): void {
    const { call } = slot;
    slot.call = undefined;
    clearTimeout(slot.timer);
    call?.resolve(reply);
    this.#pump();
  }
}
