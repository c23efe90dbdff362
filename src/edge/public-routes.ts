// The public port's HTTP routes: what can be refused by form is refused here, the rest is handed to a shard.

import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { BODY_BYTES_MAX, TOKEN_BYTES_MAX } from '../core/limits.js';
import { packMsgpack } from '../core/msgpack.js';
import type { Problem } from '../core/problem.js';
import type { RoundDefinition } from '../core/round.js';
import { statusLine } from '../core/status-line.js';
import { REQUEST, REQUEST_FLAG } from '../workers/protocol.js';
import type { AdmissionGateway } from './admission-gateway.js';
import { guarded, type HttpExchange } from './http-exchange.js';
import { acceptedEncoding, encodingOf } from './media-types.js';
import { PROBLEM_PAGE_CONTENT_TYPE, problemPage } from './problem-pages.js';
import type { RoundViews } from './round-view.js';

export interface PublicModules {
  readonly gateway: AdmissionGateway;
  readonly rounds: { get(id: string): RoundDefinition | undefined };
  readonly views: RoundViews;
  /** The OpenAPI document as JSON text. */
  readonly openapi: string;
  readonly onError: (error: unknown) => void;
}

const ROUND = '/v1/rounds/:round';
const INVESTMENTS = `${ROUND}/investments`;
const BEARER = /^bearer +/i;
const SPACE = 0x20;
const OVERLOADED: Problem = { code: 'overloaded', retryAfterS: 1 };
const NO_UPGRADE: Problem = {
  code: 'malformed-request',
  detail: 'This address speaks WebSocket (RFC 6455): send an upgrade.',
  members: { pointer: '' },
};
const JSON_HEAD = `${statusLine(200)}\r\nContent-Type: application/json`;
const MSGPACK_HEAD = `${statusLine(200)}\r\nContent-Type: application/msgpack`;
const HTML_HEAD = `${statusLine(200)}\r\nContent-Type: ${PROBLEM_PAGE_CONTENT_TYPE}`;

/** The token of an Authorization header; empty where there is none, which no shard takes. */
export function bearerToken(header: string): string {
  if (header.startsWith('Bearer ') && header.charCodeAt(7) !== SPACE) return header.slice(7);
  return BEARER.test(header) ? header.replace(BEARER, '') : '';
}

/** Puts every public HTTP route on the app; the live route is `live.ts`. */
export function addPublicRoutes(app: TemplatedApp, modules: PublicModules): void {
  const { gateway, views, onError } = modules;
  const on = (handle: (exchange: HttpExchange, req: HttpRequest, res: HttpResponse) => void) =>
    guarded(handle, onError);

  const notAllowed = (allow: string) =>
    on((exchange, req) => exchange.refuse({ code: 'method-not-allowed' }, req, [`Allow: ${allow}`]));

  app.post(INVESTMENTS, on(invest));
  app.get(
    INVESTMENTS,
    on((exchange, req) => read(exchange, req, REQUEST.readList, '')),
  );
  app.any(INVESTMENTS, notAllowed('GET, POST'));

  app.get(
    `${INVESTMENTS}/:id`,
    on((exchange, req) => read(exchange, req, REQUEST.readOne, req.getParameter(1) ?? '')),
  );
  app.any(`${INVESTMENTS}/:id`, notAllowed('GET'));

  app.get(
    '/v1/rounds',
    on((exchange, req) => {
      if (wantsMsgpack(req)) exchange.send(MSGPACK_HEAD, packMsgpack({ rounds: views.views() }));
      else exchange.send(JSON_HEAD, views.listBytes());
    }),
  );
  app.any('/v1/rounds', notAllowed('GET'));

  app.get(
    ROUND,
    on((exchange, req) => {
      const id = req.getParameter(0) ?? '';
      const bytes = views.bytes(id);
      if (bytes === undefined) exchange.problem({ code: 'round-not-found' });
      else if (wantsMsgpack(req)) exchange.send(MSGPACK_HEAD, packMsgpack(views.view(id)));
      else exchange.send(JSON_HEAD, bytes);
    }),
  );
  app.any(ROUND, notAllowed('GET'));

  app.get(
    '/openapi.json',
    on((exchange) => exchange.send(JSON_HEAD, modules.openapi)),
  );
  app.any('/openapi.json', notAllowed('GET'));

  app.get(
    '/problems/:code',
    on((exchange, req) => {
      const page = problemPage(req.getParameter(0) ?? '');
      if (page === undefined) exchange.problem({ code: 'not-found' });
      else exchange.send(HTML_HEAD, page);
    }),
  );
  app.any('/problems/:code', notAllowed('GET'));
  // An upgrade was taken by the live route before this one is asked.
  app.get(
    `${ROUND}/live`,
    on((exchange) => exchange.problem(NO_UPGRADE, ['Upgrade: websocket'])),
  );
  app.any(`${ROUND}/live`, notAllowed('GET'));
  app.any(
    '/*',
    on((exchange, req) => exchange.refuse({ code: 'not-found' }, req)),
  );

  function invest(exchange: HttpExchange, req: HttpRequest, res: HttpResponse): void {
    const encoding = encodingOf(req.getHeader('content-type'));
    const authorization = req.getHeader('authorization');
    const key = req.getHeader('idempotency-key');
    const accept = req.getHeader('accept');
    const round = modules.rounds.get(req.getParameter(0) ?? '')?.number ?? 0;
    const declared = req.getHeader('content-length');
    if (isTooLong(declared)) {
      exchange.problem({ code: 'body-too-large' }, [], true);
      return;
    }
    const refused: Problem | null =
      encoding === null
        ? { code: 'unsupported-media-type' }
        : authorization.length > TOKEN_BYTES_MAX + 7
          ? { code: 'headers-too-large' }
          : null;
    let flags = encoding === 'msgpack' ? REQUEST_FLAG.msgpackBody : 0;
    if (acceptedEncoding(accept, encoding ?? 'json') === 'msgpack') flags |= REQUEST_FLAG.msgpackAnswer;
    let earlier: Buffer | null = null;
    res.onData((chunk, isLast) => {
      if (exchange.over) return;
      const arrived = new Uint8Array(chunk);
      if (arrived.length + (earlier?.length ?? 0) > BODY_BYTES_MAX) {
        exchange.problem({ code: 'body-too-large' }, [], true);
        return;
      }
      // The chunk is gone when this returns, so what is not yet whole is copied.
      if (!isLast) {
        earlier = Buffer.concat(earlier === null ? [arrived] : [earlier, arrived]);
        return;
      }
      if (refused !== null) {
        exchange.problem(refused);
        return;
      }
      const body = earlier === null ? arrived : Buffer.concat([earlier, arrived]);
      const token = bearerToken(authorization);
      hand(exchange, REQUEST.invest, flags, round, token, key, body);
    });
  }

  function read(exchange: HttpExchange, req: HttpRequest, kind: number, id: string): void {
    const authorization = req.getHeader('authorization');
    const round = modules.rounds.get(req.getParameter(0) ?? '')?.number ?? 0;
    if (authorization.length > TOKEN_BYTES_MAX + 7) {
      exchange.problem({ code: 'headers-too-large' });
      return;
    }
    const flags = wantsMsgpack(req) ? REQUEST_FLAG.msgpackAnswer : 0;
    hand(exchange, kind, flags, round, bearerToken(authorization), id, null);
  }

  function hand(
    exchange: HttpExchange,
    kind: number,
    flags: number,
    round: number,
    token: string,
    key: string,
    body: Uint8Array | null,
  ): void {
    const closed = gateway.closedBy;
    if (closed !== null) exchange.problem(closed);
    else if (!gateway.queueForToken(token).add(kind, flags, round, token, key, body, exchange)) {
      exchange.problem(OVERLOADED);
    }
  }
}

const BODY_BYTES_MAX_TEXT = String(BODY_BYTES_MAX);

/** True for a Content-Length past the bound: digits of one length compare as text, more of them may begin with zeros. */
function isTooLong(contentLength: string): boolean {
  const { length } = BODY_BYTES_MAX_TEXT;
  if (contentLength.length > length) return !(Number(contentLength) <= BODY_BYTES_MAX);
  return contentLength.length === length && contentLength > BODY_BYTES_MAX_TEXT;
}

function wantsMsgpack(req: HttpRequest): boolean {
  return acceptedEncoding(req.getHeader('accept'), 'json') === 'msgpack';
}
