// What the tests of a whole ledger share: a running one, a client of its admin port, and a stand-in for the edge.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import {
  type BalanceMessage,
  decodeBalanceMessage,
  decodeOutcomeMessage,
  type OutcomeMessage,
  TOPICS,
} from '../core/messages.js';
import { linkSocketPath } from '../engines/link-path.js';
import { connectLocalLink } from '../engines/local-link.js';
import { type LedgerOptions, type RunningLedger, startLedger } from './main.js';

export const logger = pino({ level: 'silent' });
const SECRET = 'a secret of at least thirty-two bytes';

export function token(scope: string): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = part({ alg: 'HS256', typ: 'JWT' });
  const signed = `${head}.${part({ sub: 'ops', scope, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

const ADMIN = token('openbell:admin');

export const optionsOf = (dataDir: string): LedgerOptions => ({
  dataDir,
  adminHost: '127.0.0.1',
  ledgerPort: 0,
  ratePerS: 0,
  token: { secret: SECRET },
});

export async function start(t: TestContext, dataDir: string): Promise<RunningLedger> {
  const started = await startLedger(optionsOf(dataDir), logger);
  assert.ok(started.ok, started.ok ? '' : started.error.message);
  t.after(() => started.value.stop());
  return started.value;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export async function call(
  ledger: RunningLedger,
  path: string,
  init: RequestInit = {},
  bearer = ADMIN,
): Promise<Answer> {
  const headers = new Headers(init.headers);
  if (bearer !== '') headers.set('authorization', `Bearer ${bearer}`);
  const response = await fetch(`http://127.0.0.1:${ledger.adminPort}${path}`, { ...init, headers });
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').includes('json');
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? (JSON.parse(text) as Record<string, unknown>) : { text },
  };
}

export const post = (type: string, body: string): RequestInit => ({
  method: 'POST',
  body,
  headers: { 'content-type': type },
});
export const csv = (...lines: string[]): RequestInit => post('text/csv', lines.join('\n'));
export const transfer = (change: Record<string, unknown> = {}): RequestInit =>
  post(
    'application/json',
    JSON.stringify({
      id: 't1',
      from: 'external',
      to: 'investor:alice',
      amount: 5,
      currency: 'GBP',
      ...change,
    }),
  );

/** A stand-in for the edge: finishes what it gets, and lets the test wait for a number of messages. */
export function edge(t: TestContext, dataDir: string) {
  const bus = connectLocalLink({ path: linkSocketPath(dataDir), logger, random: () => 0 });
  t.after(() => bus.close());
  const outcomes: OutcomeMessage[] = [];
  const balances: BalanceMessage[] = [];
  let wake = (): void => undefined;
  bus.subscribe(
    TOPICS.outcomes,
    (message) => {
      const read = decodeOutcomeMessage(message.body);
      assert.ok(read.ok);
      outcomes.push(read.value);
      message.finish();
      wake();
    },
    { maxInFlight: 100 },
  );
  bus.subscribe(
    TOPICS.balances,
    (message) => {
      const read = decodeBalanceMessage(message.body);
      assert.ok(read.ok);
      balances.push(read.value);
      message.finish();
      wake();
    },
    { maxInFlight: 100 },
  );
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  bus.onConnectedChange(() => wake());
  return { bus, outcomes, balances, until };
}
