// Questions to the HTTP ports of engines: one GET, bounded in time and in size.

import { Agent, type Dispatcher, request } from 'undici';
import { err, ok, type Result } from '../core/result.js';

/** PEM: whom to trust instead of the authorities that Node.js does, and what to show. */
export interface HttpTls {
  readonly ca?: Buffer | undefined;
  readonly cert?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  /** What the other side's clock says, in milliseconds since the epoch, to the second; NaN where it does not say. */
  readonly clockMs: number;
}

/** Connections for the questions of one visit; `close` lets go of them. */
export class BoundedHttp {
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  /** @param tls for URLs that begin with `https:` */
  constructor(timeoutMs: number, tls: HttpTls | null) {
    this.#timeoutMs = timeoutMs;
    const connect = { timeout: timeoutMs, ...(tls === null ? {} : defined(tls)) };
    this.#agent = new Agent({ connect });
  }

  /** The answer, whatever its status; the error says why there is none. */
  async get(url: string, bytesMax: number): Promise<Result<HttpAnswer, string>> {
    try {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      const answer = await request(url, { signal, dispatcher: this.#agent });
      const text = await boundedText(answer.body, bytesMax);
      return ok({ status: answer.statusCode, text, clockMs: clockOf(answer.headers) });
    } catch (error) {
      const { code, message, name } = error as NodeJS.ErrnoException;
      const isLate = name === 'TimeoutError';
      return err(isLate ? `no answer within ${this.#timeoutMs} ms` : (code ?? message));
    }
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }
}

function clockOf(headers: Dispatcher.ResponseData['headers']): number {
  const date = headers['date'];
  return typeof date === 'string' ? Date.parse(date) : Number.NaN;
}

const defined = ({ ca, cert, key }: HttpTls): { ca?: Buffer; cert?: Buffer; key?: Buffer } => ({
  ...(ca && { ca }),
  ...(cert && { cert }),
  ...(key && { key }),
});

/** The whole body as text; throws when it is longer than the bound. */
export async function boundedText(body: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
