// A small incremental parser of HTTP/1.1 responses: status, the few headers that matter here, and the body by
// Content-Length or in chunks. One response at a time is in flight, so nothing else may follow it.

import { RUSH_RESPONSE_BYTES_MAX } from '../core/limits.js';

export interface HttpResponse {
  readonly status: number;
  /** `Idempotency-Replayed: true` */
  readonly replayed: boolean;
  readonly msgpack: boolean;
  /** The node closes the connection after this. */
  readonly close: boolean;
  /** Seconds of Retry-After; 0 when absent. */
  readonly retryAfterS: number;
  /** A view that is valid only until the next call of `push`. */
  readonly body: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;
const REPLAYED = /\r\nidempotency-replayed: *true/i;
const MSGPACK = /\r\ncontent-type: *application\/(?:problem\+)?msgpack/i;
const CLOSE = /\r\nconnection: *close/i;
const RETRY_AFTER = /\r\nretry-after: *(\d+)/i;
const EMPTY: Buffer = Buffer.alloc(0);

interface ChunkedBody {
  readonly body: Buffer;
  readonly end: number;
}

/** Feed it what arrives; it returns the response once it is whole, null until then, 'malformed' when it cannot be. */
export class ResponseParser {
  #held: Buffer = EMPTY;

  push(chunk: Buffer): HttpResponse | null | 'malformed' {
    const data = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const headEnd = data.indexOf(HEAD_END);
    if (headEnd < 0) return this.#wait(data, chunk);
    const head = data.latin1Slice(0, headEnd);
    if (!head.startsWith('HTTP/1.1 ')) return 'malformed';
    const status =
      (head.charCodeAt(9) - 48) * 100 + (head.charCodeAt(10) - 48) * 10 + head.charCodeAt(11) - 48;
    if (!(status >= 200 && status <= 599)) return 'malformed';
    const bodyStart = headEnd + 4;
    const length = CONTENT_LENGTH.exec(head);
    let body: Buffer = EMPTY;
    let end = bodyStart;
    if (length !== null) {
      end = bodyStart + Number.parseInt(length[1] as string, 10);
      if (data.length < end) return this.#wait(data, chunk);
      body = data.subarray(bodyStart, end);
    } else if (CHUNKED.test(head)) {
      const read = readChunks(data, bodyStart);
      if (read === 'malformed') return 'malformed';
      if (read === null) return this.#wait(data, chunk);
      ({ body, end } = read);
    } else if (status !== 204 && status !== 304) {
      return 'malformed';
    }
    if (data.length > end) return 'malformed';
    this.#held = EMPTY;
    const retryAfter = RETRY_AFTER.exec(head);
    return {
      status,
      replayed: REPLAYED.test(head),
      msgpack: MSGPACK.test(head),
      close: CLOSE.test(head),
      retryAfterS: retryAfter === null ? 0 : Number.parseInt(retryAfter[1] as string, 10),
      body,
    };
  }

  #wait(data: Buffer, chunk: Buffer): null | 'malformed' {
    if (data.length > RUSH_RESPONSE_BYTES_MAX) return 'malformed';
    this.#held = data === chunk ? Buffer.from(chunk) : data; // the caller's buffer is used again
    return null;
  }
}

function readChunks(data: Buffer, start: number): ChunkedBody | null | 'malformed' {
  const parts: Buffer[] = [];
  let at = start;
  while (at < data.length) {
    const lineEnd = data.indexOf('\r\n', at, 'latin1');
    if (lineEnd < 0) return null;
    const size = Number.parseInt(data.latin1Slice(at, lineEnd), 16);
    if (!(size >= 0)) return 'malformed';
    const next = lineEnd + 2 + size + 2;
    if (data.length < next) return null;
    if (size === 0) return { body: Buffer.concat(parts), end: next };
    parts.push(data.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
  return null;
}
