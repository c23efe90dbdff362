// For tests only: a ledger's admin port, as far as an audit asks it, over plain HTTP.

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { OutcomeMessage } from '../core/messages.js';
import { TokenVerifier } from '../core/token.js';
import { adminAuthorizer, bearerToken } from '../http/admin-auth.js';

export const FAKE_SECRET = 'a secret of at least thirty-two bytes';

const authorize = adminAuthorizer(new TokenVerifier({ secret: FAKE_SECRET }), Date.now);

export class FakeLedger {
  readonly #server: Server;
  /** In the order of their settlement. */
  readonly outcomes: OutcomeMessage[] = [];
  /** Added to what the outcomes come to: books that are wrong. */
  readonly wrong = {
    escrow: 0,
    entriesSum: 0,
    settled: 0,
    outcomes: 0,
    faults: [] as { invariant: string; detail: string }[],
  };
  /** Called before each answer. */
  onRequest: () => void | Promise<void> = () => undefined;
  /** Answers nothing but this status when set, after so many answers. */
  refuses = 0;
  refusesAfter = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port. */
  static async start(): Promise<FakeLedger> {
    const server = createServer((request, response) => {
      ledger.#answer(request).then(
        ({ status, body }) => {
          response.writeHead(status, { 'Content-Type': 'application/json' });
          response.end(JSON.stringify(body));
        },
        (error: unknown) => response.destroy(error as Error),
      );
    });
    const ledger = new FakeLedger(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return ledger;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers nothing any more. */
  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    await this.onRequest();
    if (this.refuses > 0 && this.refusesAfter-- <= 0) return { status: this.refuses, body: {} };
    const token = bearerToken(request.headers.authorization ?? '');
    if (token === null || !authorize(token).ok) return { status: 401, body: {} };
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url);
    if (pathname === '/admin/v1/summary') return { status: 200, body: this.#summary() };
    if (pathname !== '/admin/v1/outcomes') return { status: 404, body: {} };
    const after = Number(searchParams.get('after'));
    const outcomes = this.outcomes.slice(after, after + Number(searchParams.get('limit')));
    const next = after + outcomes.length;
    return { status: 200, body: { outcomes, next: String(next), more: next < this.outcomes.length } };
  }

  #summary(): object {
    const rounds = new Map<string, { settled: number; settledCount: number }>();
    for (const { round, state, amount } of this.outcomes) {
      const sum = rounds.get(round) ?? { settled: 0, settledCount: 0 };
      if (state === 'settled') {
        sum.settled += amount;
        sum.settledCount += 1;
      }
      rounds.set(round, sum);
    }
    const { wrong } = this;
    return {
      rounds: [...rounds].map(([round, { settled, settledCount }]) => ({
        round,
        settled: settled + wrong.settled,
        settledCount,
        escrow: settled + wrong.settled + wrong.escrow,
        transferred: 0,
      })),
      outcomes: this.outcomes.length + wrong.outcomes,
      entriesSum: wrong.entriesSum,
      faults: wrong.faults,
    };
  }
}
