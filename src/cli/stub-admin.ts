// A small HTTP server in the place of an admin port, for the tests of commands: it keeps what it was asked and answers
// what the test says.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly contentType: string;
  readonly body: string;
}

export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

export interface StubAdmin {
  readonly url: string;
  readonly asked: Asked[];
}

/** Listens on a free port until the test ends. */
export async function stubAdmin(
  t: TestContext,
  answer: (asked: Asked, count: number) => Answered,
): Promise<StubAdmin> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const blocks: Buffer[] = [];
    request.on('data', (block: Buffer) => blocks.push(block));
    request.on('end', () => {
      const { authorization = '', 'content-type': contentType = '' } = request.headers;
      const body = Buffer.concat(blocks).toString('utf8');
      const one = { method: request.method ?? '', path: request.url ?? '', authorization, contentType, body };
      asked.push(one);
      const { status, body: answered } = answer(one, asked.length);
      response.writeHead(status, {
        'content-type': status < 400 ? 'application/json' : 'application/problem+json',
      });
      response.end(JSON.stringify(answered));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
