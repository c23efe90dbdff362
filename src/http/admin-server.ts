// The admin port of a process, on uWebSockets.js. One wrapper for every route: onAborted first, what the request
// says is copied before anything asynchronous, body bytes are counted, every answer has a deadline, and whatever a
// handler throws becomes a 500 that says nothing of the inside.

import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import type { Logger } from 'pino';
import {
  ADMIN_BODY_BYTES_MAX,
  ADMIN_DEADLINE_MS,
  ADMIN_DRAIN_MS,
  ADMIN_REQUESTS_IN_FLIGHT_MAX,
} from '../core/limits.js';
import type { ProblemCode } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import { statusLine } from '../core/status-line.js';
import { type AdminAuthorize, bearerToken } from './admin-auth.js';
import { type AdminRequest, type AdminResponse, type AdminRoute, AdminRouteTable } from './admin-routes.js';
import { type Listening, listenExclusive } from './listen.js';
import { problem, refusal } from './responses.js';
import { uWS } from './uws.js';

export interface AdminServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly authorize: AdminAuthorize;
  readonly routes: readonly AdminRoute[];
  readonly logger: Logger;
}

export interface AdminServer {
  readonly port: number;
  /** Stops listening, lets what is in work finish for a bounded time, then closes every connection. */
  close(): Promise<void>;
}

/** Everything that a request says before its body, copied while it may be read. */
interface Head {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authorization: string;
  readonly contentType: string;
  readonly contentLength: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Starts to listen; fails with a message for the operator, for instance when the port is in use. */
export async function createAdminServer(options: AdminServerOptions): Promise<Result<AdminServer, string>> {
  const { host, port } = options;
  const app = uWS.App();
  const running = new RunningServer(app, options);
  app.any('/*', (res, req) => running.serve(res, req));
  const listening = await listenExclusive(app, host, port);
  if (listening === null) {
    app.close();
    return err(
      `cannot listen on ${host}:${port}: the port is in use, or the address is not one of this host`,
    );
  }
  running.listening(listening);
  return ok(running);
}

class RunningServer implements AdminServer {
  readonly #app: TemplatedApp;
  readonly #routes: AdminRouteTable;
  readonly #authorize: AdminAuthorize;
  readonly #logger: Logger;
  #listening: Listening | null = null;
  #inFlight = 0;
  #onIdle: (() => void) | null = null;
  #closing = false;

  constructor(app: TemplatedApp, options: AdminServerOptions) {
    this.#app = app;
    this.#routes = new AdminRouteTable(options.routes);
    this.#authorize = options.authorize;
    this.#logger = options.logger;
  }

  get port(): number {
    return this.#listening?.port ?? 0;
  }

  listening(listening: Listening): void {
    this.#listening = listening;
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#listening?.stop();
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ADMIN_DRAIN_MS);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#app.close();
  }

  /** The one entry of every request. Nothing may be thrown out of it: that would end the process. */
  serve(res: HttpResponse, req: HttpRequest): void {
    const exchange = new Exchange(res, req.getCaseSensitiveMethod() === 'HEAD');
    try {
      this.#dispatch(exchange, req);
    } catch (error) {
      this.#logger.error({ err: error }, 'admin: request failed');
      exchange.answer(refusal('internal'), true);
    }
  }

  /** The checks in the contract's order, as far as they can be made before the body is there. */
  #dispatch(exchange: Exchange, req: HttpRequest): void {
    const method = req.getCaseSensitiveMethod();
    const match = this.#routes.match(method, req.getUrl());
    // An answer that leaves a body unread has to close the connection.
    const hasBody = req.getHeader('content-length') !== '' || req.getHeader('transfer-encoding') !== '';
    if ('problem' in match) {
      const headers: Record<string, string> = match.allow === undefined ? {} : { Allow: match.allow };
      exchange.answer(problem(match.problem, headers), hasBody);
      return;
    }
    const { route, params } = match;
    const head = readHead(req, route, method);
    const bytesMax = route.bodyBytesMax ?? ADMIN_BODY_BYTES_MAX;
    const tooLarge = refusal('body-too-large', `The body may have ${bytesMax} bytes here.`);
    if (head.contentLength > bytesMax) {
      exchange.answer(tooLarge, true);
      return;
    }
    if (route.contentTypes !== undefined && !route.contentTypes.includes(head.contentType)) {
      const detail = `Send Content-Type: ${route.contentTypes.join(' or ')}.`;
      exchange.answer(refusal('unsupported-media-type', detail), hasBody);
      return;
    }
    if (this.#inFlight >= ADMIN_REQUESTS_IN_FLIGHT_MAX) {
      exchange.answer(problem({ code: 'overloaded', retryAfterS: 1 }), hasBody);
      return;
    }
    // Before the body: a stranger must not hold memory or a slot.
    const subject = route.access === 'none' ? ok('') : this.#subjectOf(head.authorization);
    if (!subject.ok) {
      exchange.answer(refusal(subject.error), hasBody);
      return;
    }
    this.#hold(exchange, route.deadlineMs ?? ADMIN_DEADLINE_MS);
    exchange.readBody(bytesMax, (body) => {
      if (body === null) {
        exchange.answer(tooLarge, true);
        return;
      }
      this.#run(route, params, head, body, subject.value)
        .then((response) => exchange.answer(response, this.#closing))
        .catch((error: unknown) => {
          this.#logger.error({ err: error, method, path: head.path }, 'admin: request failed');
          exchange.answer(refusal('internal'), this.#closing);
        });
    });
  }

  /** Counts the exchange as in work until it is over, and ends it at its deadline. */
  #hold(exchange: Exchange, deadlineMs: number): void {
    this.#inFlight++;
    const timer = setTimeout(() => {
      const detail = 'There was no answer in time; it is unknown whether the request took effect.';
      exchange.answer(problem({ code: 'overloaded', detail, retryAfterS: 1 }), true);
    }, deadlineMs);
    exchange.onOver(() => {
      clearTimeout(timer);
      this.#inFlight--;
      if (this.#inFlight === 0) this.#onIdle?.();
    });
  }

  async #run(
    route: AdminRoute,
    params: Readonly<Record<string, string>>,
    head: Head,
    body: Uint8Array,
    subject: string,
  ): Promise<AdminResponse> {
    return route.handler({
      method: head.method as AdminRequest['method'],
      path: head.path,
      params,
      query: new URLSearchParams(head.query),
      contentType: head.contentType,
      body,
      subject,
      headers: head.headers,
    });
  }

  #subjectOf(authorization: string): Result<string, ProblemCode> {
    const token = bearerToken(authorization);
    return token === null ? err('unauthenticated') : this.#authorize(token);
  }
}

/** One request's answer: given once, or never when the client went away. */
class Exchange {
  readonly #res: HttpResponse;
  readonly #isHead: boolean;
  #isOver = false;
  #onOver: (() => void) | null = null;

  constructor(res: HttpResponse, isHead: boolean) {
    this.#res = res;
    this.#isHead = isHead;
    res.onAborted(() => this.#end());
  }

  /** Calls back when it is answered or aborted. */
  onOver(callback: () => void): void {
    this.#onOver = callback;
  }

  answer(response: AdminResponse, closeAfter: boolean): void {
    if (this.#isOver) return;
    this.#end();
    this.#res.cork(() => writeResponse(this.#res, response, this.#isHead, closeAfter));
  }

  /** Calls back once: with the whole body, or with null as soon as it is too long. */
  readBody(bytesMax: number, done: (body: Uint8Array | null) => void): void {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    this.#res.onData((chunk, isLast) => {
      if (this.#isOver) return;
      bytes += chunk.byteLength;
      if (bytes > bytesMax) {
        done(null);
        return;
      }
      // Copied: the memory of a chunk is gone when this function returns.
      if (chunk.byteLength > 0) chunks.push(new Uint8Array(chunk.slice(0)));
      if (isLast) done(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks));
    });
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver?.();
  }
}

function readHead(req: HttpRequest, route: AdminRoute, method: string): Head {
  const headers: Record<string, string> = {};
  for (const name of route.headers ?? []) headers[name] = req.getHeader(name);
  const length = req.getHeader('content-length');
  return {
    method,
    path: req.getUrl(),
    query: req.getQuery(),
    authorization: req.getHeader('authorization'),
    contentType: (req.getHeader('content-type').split(';')[0] ?? '').trim().toLowerCase(),
    contentLength: length === '' ? 0 : Number.parseInt(length, 10),
    headers,
  };
}

function writeResponse(
  res: HttpResponse,
  response: AdminResponse,
  isHead: boolean,
  closeAfter: boolean,
): void {
  res.writeStatus(statusLine(response.status));
  res.writeHeader('Content-Type', response.contentType);
  for (const [name, value] of Object.entries(response.headers ?? {})) res.writeHeader(name, value);
  res.writeHeader('Cache-Control', 'no-store');
  res.writeHeader('X-Content-Type-Options', 'nosniff');
  if (isHead) res.endWithoutBody(Buffer.byteLength(response.body), closeAfter);
  else res.end(response.body, closeAfter);
}
