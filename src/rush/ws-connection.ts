// One WebSocket connection over a plain socket: handshake, masked frames gathered into one write per turn, pongs.

import { createHash, randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Address } from './address.js';
import { encodeFrame, FrameDecoder, OPCODE } from './ws-frame.js';

export interface WsConnectionHandlers {
  onConnected(): void;
  /** The payload is valid only during this call. */
  onMessage(payload: Buffer): void;
  /** Called once; whatever was in flight has no answer. */
  onClosed(reason: string): void;
}

export interface WsConnectionOptions {
  readonly path: string;
  readonly subprotocol: string;
  /** For the Authorization header of the handshake. */
  readonly token?: string | undefined;
}

const READ_BUFFER_BYTES = 65_536;
const HANDSHAKE_BYTES_MAX = 16_384;
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export class WsConnection {
  readonly #socket: Socket;
  readonly #handlers: WsConnectionHandlers;
  readonly #options: WsConnectionOptions;
  readonly #decoder = new FrameDecoder();
  readonly #key = randomBytes(16).toString('base64');
  #handshake = '';
  #connected = false;
  #closed = false;
  #reason = 'closed by the node';
  #outgoing: Buffer[] = [];

  constructor(address: Address, options: WsConnectionOptions, handlers: WsConnectionHandlers) {
    this.#handlers = handlers;
    this.#options = options;
    const buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        this.#read(buffer.subarray(0, bytes));
        return true;
      },
    };
    this.#socket = connect({ host: address.host, port: address.port, noDelay: true, onread });
    this.#socket.on('connect', () => {
      const authorization = options.token === undefined ? '' : `Authorization: Bearer ${options.token}\r\n`;
      this.#socket.write(
        `GET ${options.path} HTTP/1.1\r\nHost: ${address.authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${this.#key}\r\n` +
          `Sec-WebSocket-Protocol: ${options.subprotocol}\r\n${authorization}\r\n`,
        'latin1',
      );
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason = error.code ?? error.message;
    });
    this.#socket.on('close', () => this.#close());
  }

  /** Sends one message; those of one turn of the event loop leave in one write. */
  send(opcode: number, payload: Uint8Array): void {
    this.#outgoing.push(encodeFrame(opcode, payload));
    if (this.#outgoing.length === 1) queueMicrotask(() => this.#flush());
  }

  /** Closes at once; `onClosed` follows with this reason. */
  destroy(reason: string): void {
    if (!this.#closed) this.#reason = reason;
    this.#socket.destroy();
  }

  #flush(): void {
    const frames = this.#outgoing;
    this.#outgoing = [];
    if (!this.#closed)
      this.#socket.write(frames.length === 1 ? (frames[0] as Buffer) : Buffer.concat(frames));
  }

  #read(chunk: Buffer): void {
    if (this.#closed) return;
    const frames = this.#connected ? chunk : this.#readHandshake(chunk);
    if (frames === null || frames.length === 0) return;
    if (!this.#decoder.push(frames, (opcode, payload) => this.#frame(opcode, payload)))
      this.destroy('malformed frame');
  }

  #readHandshake(chunk: Buffer): Buffer | null {
    this.#handshake += chunk.latin1Slice(0, chunk.length);
    const end = this.#handshake.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#handshake.length > HANDSHAKE_BYTES_MAX) this.destroy('handshake too long');
      return null;
    }
    const head = this.#handshake.slice(0, end + 2);
    const rest = Buffer.from(this.#handshake.slice(end + 4), 'latin1');
    const accept = createHash('sha1')
      .update(this.#key + ACCEPT_GUID)
      .digest('base64');
    const header = (name: string): string | undefined =>
      new RegExp(`\r\n${name}: *([^\r]*)\r`, 'i').exec(head)?.[1];
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.destroy(`handshake refused: ${head.slice(0, head.indexOf('\r'))}`);
    } else if (header('sec-websocket-accept') !== accept) {
      this.destroy('handshake with a wrong Sec-WebSocket-Accept');
    } else if (header('sec-websocket-protocol') !== this.#options.subprotocol) {
      this.destroy('subprotocol not accepted');
    } else {
      this.#connected = true;
      this.#handlers.onConnected();
      return rest;
    }
    return null;
  }

  #frame(opcode: number, payload: Buffer): void {
    if (this.#closed) return;
    if (opcode === OPCODE.text || opcode === OPCODE.binary) this.#handlers.onMessage(payload);
    else if (opcode === OPCODE.ping) this.send(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.destroy(`closed by the node with code ${code}`);
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onClosed(this.#reason);
  }
}
