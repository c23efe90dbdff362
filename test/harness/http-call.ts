// One HTTP or HTTPS request to an engine, with a test's own certificates if it has some.

import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Certificates, clientTls } from './certificates.js';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

export interface HttpCall {
  /** POST with this body; GET when absent. */
  readonly body?: string;
  /** For an `https:` URL. */
  readonly certificates?: Certificates;
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;
const BODY_CHARACTERS_MAX = 16 * 1_048_576;

/** Rejects when there is no answer in time, or the connection fails. Any status is an answer. */
export function httpCall(url: string, call: HttpCall = {}): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = send(
      url,
      {
        method: call.body === undefined ? 'GET' : 'POST',
        agent: false, // a connection of its own: none is left open to an engine that is killed
        signal: AbortSignal.timeout(call.timeoutMs ?? TIMEOUT_MS),
        ...(call.certificates ? clientTls(call.certificates) : {}),
      },
      (answer) => {
        let body = '';
        answer.setEncoding('utf8');
        answer.on('data', (text: string) => {
          body += text;
          if (body.length > BODY_CHARACTERS_MAX) request.destroy(new Error(`${url}: the answer is too long`));
        });
        answer.once('error', reject);
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      },
    );
    request.once('error', reject);
    request.end(call.body);
  });
}

/** Resolves to the body when it is answered 200, and throws otherwise. */
export async function httpBody(url: string, call: HttpCall = {}): Promise<string> {
  const { status, body } = await httpCall(url, call);
  if (status !== 200) throw new Error(`${url}: ${status} ${body}`);
  return body;
}
