// One request of the public port from its head to its answer. uWebSockets.js ends the process on a throw, forgets the
// request object when the handler returns, and must be told of aborts before anything waits: all of that is here.

import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { ANSWER_TEXT_BYTES } from '../core/limits.js';
import { PROBLEMS, type Problem, problemObject } from '../core/problem.js';
import { problemHead } from '../workers/answer-writer.js';
import type { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';

/** Answers since the start, by HTTP status: index is the status. */
export const responseCounts = new Float64Array(600);

/** What `sendCorked` writes: an answer is written at once, and a closure for each would be garbage. */
const answering: { res: HttpResponse | null; head: Uint8Array; body: Uint8Array } = {
  res: null,
  head: new Uint8Array(),
  body: new Uint8Array(),
};

function sendCorked(): void {
  const { res, head, body } = answering;
  if (res === null) return;
  // The status is written verbatim, so the headers travel in it: one call instead of one for each.
  res.writeStatus(head);
  // Short ones, which are nearly all, are no burden: whoever sends a further request before the answer is cut off.
  if (body.length <= ANSWER_TEXT_BYTES) res.end(body);
  else end(res, body);
}

/**
 * Writes a body as far as the socket takes it. What a slow reader leaves is kept here, and its connection then has a request
 * that is not over: uWebSockets.js closes it when the next one comes. So no connection has more than one answer waiting.
 */
function end(res: HttpResponse, body: Uint8Array): void {
  const [, done] = res.tryEnd(body, body.length);
  if (done) return;
  // A copy: an answer lies in memory that is used again.
  const kept = Uint8Array.from(body);
  res.onWritable((offset) => res.tryEnd(kept.subarray(offset), kept.length)[0]);
}

export class HttpExchange implements AnswerTarget {
  readonly #res: HttpResponse;
  #over = false;

  constructor(res: HttpResponse) {
    this.#res = res;
    res.onAborted(() => {
      this.#over = true;
    });
  }

  /** True when it has been answered or the client has gone. */
  get over(): boolean {
    return this.#over;
  }

  answer(cursor: AnswerCursor): void {
    if (this.#over) return;
    this.#over = true;
    responseCounts[cursor.status]! += 1;
    answering.res = this.#res;
    const { head, body } = cursor.httpText();
    answering.head = head;
    answering.body = body;
    this.#res.cork(sendCorked);
  }

  fail(problem: Problem): void {
    this.problem(problem);
  }

  cork(work: () => void): void {
    work();
  }

  /** A problem as the answer; `headers` are further lines of `Name: value`. */
  problem(problem: Problem, headers: readonly string[] = [], close = false): void {
    const head = [problemHead(problem), ...headers].join('\r\n');
    this.send(head, JSON.stringify(problemObject(problem)), close);
  }

  /** A problem as the answer to a request of any method: to HEAD without its body (RFC 9110, section 9.3.2). */
  refuse(problem: Problem, req: HttpRequest, headers: readonly string[] = []): void {
    if (req.getMethod() !== 'head') this.problem(problem, headers);
    else if (!this.#over) {
      this.#over = true;
      responseCounts[PROBLEMS[problem.code].status]! += 1;
      const res = this.#res;
      res.cork(() => {
        // With a length of its own to tell, uWebSockets.js would wait for that many bytes.
        const length = `Content-Length: ${JSON.stringify(problemObject(problem)).length}`;
        res.writeStatus([problemHead(problem), ...headers, length].join('\r\n'));
        res.endWithoutBody();
      });
    }
  }

  /** Status line and headers as one text, and a body. */
  send(head: string, body: string | Uint8Array, close = false): void {
    if (this.#over) return;
    this.#over = true;
    responseCounts[Number.parseInt(head, 10)]! += 1;
    const res = this.#res;
    res.cork(() => {
      res.writeStatus(head);
      if (close) res.end(body, true);
      else end(res, typeof body === 'string' ? Buffer.from(body) : body);
    });
  }
}

/**
 * The one boundary of every public handler: aborts are noticed, a throw becomes a 500 that tells nothing.
 * @param onError gets what was thrown
 */
export function guarded(
  handle: (exchange: HttpExchange, req: HttpRequest, res: HttpResponse) => void,
  onError: (error: unknown) => void,
): (res: HttpResponse, req: HttpRequest) => void {
  return (res, req) => {
    const exchange = new HttpExchange(res);
    try {
      handle(exchange, req, res);
    } catch (error) {
      onError(error);
      exchange.problem({ code: 'internal' });
    }
  };
}
