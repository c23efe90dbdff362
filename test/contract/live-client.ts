// A WebSocket client for the contract tests: every message is kept, and waited for by what it says.

import { Unpackr } from 'msgpackr';
import { WebSocket } from 'undici';
import { packMsgpack } from '../../src/core/msgpack.js';

export type LiveMessage = Readonly<Record<string, unknown>> & { readonly type: string };

export interface LiveOptions {
  readonly protocol?: string | null;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
export const JSON_PROTOCOL = 'openbell.v1+json';
export const MSGPACK_PROTOCOL = 'openbell.v1+msgpack';

export class LiveClient {
  readonly messages: LiveMessage[] = [];
  readonly #socket: WebSocket;
  readonly #msgpack: boolean;
  readonly #opened: Promise<void>;
  #closed: { readonly code: number; readonly reason: string } | null = null;
  #wakes: (() => void)[] = [];
  #taken = 0;

  constructor(publicUrl: string, round: string, options: LiveOptions = {}) {
    const { protocol = JSON_PROTOCOL, token, headers = {} } = options;
    this.#msgpack = protocol === MSGPACK_PROTOCOL;
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
    this.#socket = new WebSocket(`${publicUrl.replace('http', 'ws')}/v1/rounds/${round}/live`, {
      protocols: protocol === null ? [] : [protocol],
      headers: { ...authorization, ...headers },
    });
    this.#socket.binaryType = 'arraybuffer';
    this.#opened = new Promise((resolve, reject) => {
      this.#socket.onopen = () => resolve();
      this.#socket.onerror = () => reject(new Error('the upgrade was refused'));
    });
    this.#opened.catch(() => undefined); // whoever awaits it hears of it
    this.#socket.onmessage = ({ data }) => {
      const binary = typeof data !== 'string';
      if (binary !== this.#msgpack) throw new Error('a frame of the other kind');
      const message: unknown = binary ? unpackr.unpack(Buffer.from(data as ArrayBuffer)) : JSON.parse(data);
      this.messages.push(message as LiveMessage);
      this.#wake();
    };
    this.#socket.onclose = ({ code, reason }) => {
      this.#closed = { code, reason };
      this.#wake();
    };
  }

  /** Resolves when the connection is open; rejects when the upgrade is refused. */
  opened(): Promise<void> {
    return this.#opened;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  send(message: unknown): void {
    if (this.#msgpack) this.#socket.send(new Uint8Array(packMsgpack(message)));
    else this.#socket.send(JSON.stringify(message));
  }

  /** A frame as it is: text or bytes. */
  sendRaw(frame: string | Uint8Array): void {
    this.#socket.send(frame as string);
  }

  /** The next message after those taken that fits; those before it are passed over. Throws when the connection ends first. */
  async next(type: string, fits: (message: LiveMessage) => boolean = () => true): Promise<LiveMessage> {
    for (;;) {
      while (this.#taken < this.messages.length) {
        const message = this.messages[this.#taken++]!;
        if (message.type === type && fits(message)) return message;
      }
      if (this.#closed !== null) throw new Error(`closed with ${this.#closed.code} before a ${type}`);
      await this.#changed();
    }
  }

  /** The close code and reason. */
  async closed(): Promise<{ readonly code: number; readonly reason: string }> {
    while (this.#closed === null) await this.#changed();
    return this.#closed;
  }

  close(): void {
    this.#socket.close();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#wakes.push(resolve));
  }

  #wake(): void {
    const wakes = this.#wakes;
    this.#wakes = [];
    for (const wake of wakes) wake();
  }
}
