// One keep-alive HTTP/1.1 connection over a plain socket, at most one request in flight. Written for speed: a whole
// request is one string and one write, reads go into one buffer that is used again.

import { connect, type Socket } from 'node:net';
import type { Address } from './address.js';
import { type HttpResponse, ResponseParser } from './http-response.js';

export interface HttpConnectionHandlers {
  onConnected(): void;
  /** The response's body is valid only during this call. */
  onResponse(response: HttpResponse): void;
  /** Called once; whatever was in flight has no answer. */
  onClosed(reason: string): void;
}

const READ_BUFFER_BYTES = 16_384;

export class HttpConnection {
  readonly #socket: Socket;
  readonly #handlers: HttpConnectionHandlers;
  readonly #parser = new ResponseParser();
  #reason = 'closed by the node';
  #closed = false;

  constructor(address: Address, handlers: HttpConnectionHandlers) {
    this.#handlers = handlers;
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        this.#read(buffer.subarray(0, bytes));
        return true;
      },
    };
    this.#socket = connect({ host: address.host, port: address.port, noDelay: true, onread });
    this.#socket.on('connect', () => handlers.onConnected());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason = error.code ?? error.message;
    });
    this.#socket.on('close', () => this.#close());
  }

  /** Sends a whole request; its characters are bytes. */
  write(request: string): void {
    this.#socket.write(request, 'latin1');
  }

  /** Closes at once; `onClosed` follows with this reason. */
  destroy(reason: string): void {
    if (!this.#closed) this.#reason = reason;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#closed) return;
    const response = this.#parser.push(chunk);
    if (response === null) return;
    if (response === 'malformed') {
      this.destroy('malformed response');
      return;
    }
    this.#handlers.onResponse(response);
    if (response.close) this.destroy('closed by the node');
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onClosed(this.#reason);
  }
}
