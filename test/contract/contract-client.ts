// What the contract tests ask the public port with: plain calls, and raw bytes where a client library would be too polite.

import { connect, type Socket } from 'node:net';
import { Unpackr } from 'msgpackr';
import { packMsgpack } from '../../src/core/msgpack.js';
import { investorToken } from '../harness/node-process.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  /** The body by its Content-Type; null when there is none. */
  readonly body: Record<string, unknown>;
}

export interface InvestOptions {
  readonly round?: string;
  readonly investor?: string;
  /** The whole Authorization header; null sends none. */
  readonly authorization?: string | null;
  readonly key?: string | null;
  readonly body?: unknown;
  readonly bytes?: Buffer;
  readonly type?: string | null;
  readonly accept?: string;
}

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });
let keys = 0;

/** A key that no test has used yet. */
export function freshKey(): string {
  keys += 1;
  return `key-${keys}`;
}

function decode(type: string, bytes: Buffer): Record<string, unknown> {
  if (bytes.length === 0) return {};
  if (type.startsWith('application/msgpack')) return unpackr.unpack(bytes) as Record<string, unknown>;
  return type.includes('json') ? (JSON.parse(bytes.toString('utf8')) as Record<string, unknown>) : {};
}

/** Any call. */
export async function call(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body?: Buffer,
): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const all = Object.fromEntries(answer.headers.entries());
  return { status: answer.status, headers: all, bytes, body: decode(all['content-type'] ?? '', bytes) };
}

function headersOf(options: InvestOptions): Record<string, string> {
  const { investor = 'alice', authorization, key = freshKey(), type = 'application/json', accept } = options;
  const bearer = authorization === undefined ? `Bearer ${investorToken(investor)}` : authorization;
  return {
    ...(bearer === null ? {} : { authorization: bearer }),
    ...(key === null ? {} : { 'idempotency-key': key }),
    ...(type === null ? {} : { 'content-type': type }),
    ...(accept === undefined ? {} : { accept }),
  };
}

/** POSTs an investment; without options a valid one of alice in `crowd` with a key of its own. */
export function invest(publicUrl: string, options: InvestOptions = {}): Promise<Answer> {
  const { round = 'crowd', body = { amount: 50_000, currency: 'GBP' }, type } = options;
  const encoded = type === 'application/msgpack' ? packMsgpack(body) : Buffer.from(JSON.stringify(body));
  const url = `${publicUrl}/v1/rounds/${round}/investments`;
  return call(url, 'POST', headersOf(options), options.bytes ?? encoded);
}

/** GETs what belongs to an investor. */
export function read(url: string, investor: string, accept?: string): Promise<Answer> {
  const headers = {
    authorization: `Bearer ${investorToken(investor)}`,
    ...(accept === undefined ? {} : { accept }),
  };
  return call(url, 'GET', headers);
}

/** The bytes of a POST of an investment, for sockets. */
export function rawInvest(investor: string, body: string, headers: readonly string[] = []): string {
  const lines = [
    'POST /v1/rounds/crowd/investments HTTP/1.1',
    'Host: 127.0.0.1',
    `Authorization: Bearer ${investorToken(investor)}`,
    'Content-Type: application/json',
    ...(headers.some((line) => /^idempotency-key/i.test(line)) ? [] : [`Idempotency-Key: ${freshKey()}`]),
    ...(headers.some((line) => /^(transfer-encoding|content-length)/i.test(line))
      ? []
      : [`Content-Length: ${body.length}`]),
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** One connection of raw bytes. */
export class RawConnection {
  readonly #socket: Socket;
  #received = '';
  #ended = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const changed = (): void => this.#wake?.();
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (text: string) => {
      this.#received += text;
      changed();
    });
    this.#socket.on('error', (error) => {
      this.#failure = error;
    });
    this.#socket.on('close', () => {
      this.#ended = true;
      changed();
    });
  }

  /** Writes the pieces, each in a write of its own. */
  async send(...pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const piece of pieces) {
      await new Promise<void>((resolve) => this.#socket.write(piece as string, 'latin1', () => resolve()));
    }
  }

  /** The next response; null when the connection ends before one is whole. `noBody`: of a HEAD. */
  async response(noBody = false): Promise<{ status: number; head: string; body: string } | null> {
    for (;;) {
      const end = this.#received.indexOf('\r\n\r\n');
      if (end >= 0) {
        const head = this.#received.slice(0, end);
        const length = noBody ? 0 : Number.parseInt(/content-length: (\d+)/i.exec(head)?.[1] ?? '0', 10);
        if (this.#received.length >= end + 4 + length || this.#ended) {
          const body = this.#received.slice(end + 4, end + 4 + length);
          this.#received = this.#received.slice(end + 4 + length);
          return { status: Number.parseInt(head.slice(9, 12), 10), head, body };
        }
      }
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves when the other side has closed; what came and was not read as a response. */
  async closed(): Promise<{ readonly rest: string; readonly failure: Error | null }> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { rest: this.#received, failure: this.#failure };
  }

  /** Gone without a word. */
  destroy(): void {
    this.#socket.destroy();
  }
}
