// The edge's admin port over fakes, for tests: the real server and the real routes, with nothing behind them.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import pino from 'pino';
import type { InvestorLine } from '../core/investor-lines.js';
import type { Problem } from '../core/problem.js';
import { err, ok } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import { type AdminServer, createAdminServer } from '../http/admin-server.js';
import { edgeAdminRoutes } from './admin-routes.js';
import { fakeMetricsSources } from './fake-metrics-sources.js';
import { FakeRoundClock } from './fake-round-clock.js';
import { Metrics } from './metrics.js';
import { RoundViews } from './round-view.js';
import { RoundsService } from './rounds.js';
import { StatusReport } from './status.js';

export const crowd = {
  id: 'crowd',
  name: 'Crowd 2026',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'allow',
};

let server: AdminServer;
let base = '';
let onAuthorized = (): void => undefined;
/** What is cached by investor. */
export const cache = new Map<string, InvestorLine>();
/** What a test may turn and read. */
export const world = {
  putRefusal: null as Problem | null,
  notReady: null as string | null,
  audits: 0,
  finishAudit: (): void => undefined,
  /** Settles when so many more requests with a token are at their handlers. */
  nextAuthorizations: (requests: number): Promise<void> =>
    new Promise((resolve) => {
      let left = requests;
      onAuthorized = () => {
        // The handler runs in the same turn, after this.
        if (--left === 0) setImmediate(resolve);
      };
    }),
  replays: [] as boolean[],
  responses: 0,
  monotonicMs: 0,
};

/** Starts the port before the tests of a file, and closes it after them. */
export function useAdminPort(): void {
  before(start);
  after(() => server.close());
}

async function start(): Promise<void> {
  const startMs = Date.parse('2026-11-23T10:00:00Z');
  const rounds = new RoundsService({
    control: {
      appendRound: async () => ok({ sequence: 1 }),
      broadcast: async () => undefined,
      barrier: async () => undefined,
      publish: () => undefined,
    },
    clock: new FakeRoundClock(startMs),
    onTimerFailure: () => undefined,
  });
  const counters = (definition: RoundDefinition) => ({
    admitted: definition.cap / 4,
    investors: 1,
    settled: 0,
  });
  const monotonicMs = (): number => world.monotonicMs;
  const views = new RoundViews({ rounds, counters, sequence: () => 9, nowMs: () => startMs, monotonicMs });
  const sources = fakeMetricsSources({
    rounds: () => views.views(),
    responses: () => new Map([[201, world.responses]]),
  });
  const readiness = {
    parts: () => [
      { name: 'journal', ready: true },
      world.notReady === null
        ? { name: 'index', ready: true }
        : { name: 'index', ready: false, detail: world.notReady },
    ],
  };
  const routes = edgeAdminRoutes({
    rounds,
    views,
    investors: {
      get: async (investor) => cache.get(investor) ?? null,
      put: async (lines) => {
        if (world.putRefusal !== null) return err(world.putRefusal);
        for (const line of lines) cache.set(line.investor, line);
        return ok(null);
      },
    },
    metrics: new Metrics(sources),
    readiness,
    status: new StatusReport({ sources, readiness, nowMs: () => startMs, monotonicMs }),
    audit: {
      run: async () => {
        world.audits++;
        await new Promise<void>((resolve) => {
          world.finishAudit = resolve;
        });
        return ok({ ok: true, checks: [], differences: [] });
      },
    },
    replayer: {
      replay: async (dryRun) => {
        world.replays.push(dryRun);
        return ok({ unconfirmed: 3, published: dryRun ? 0 : 3, rows: null });
      },
    },
  });
  const started = await createAdminServer({
    host: '127.0.0.1',
    port: 0,
    authorize: (token) => {
      onAuthorized();
      return token === 'admin' ? ok('ops') : err(token === 'investor' ? 'forbidden' : 'unauthenticated');
    },
    routes,
    logger: pino({ level: 'silent' }),
  });
  assert.ok(started.ok);
  server = started.value;
  base = `http://127.0.0.1:${server.port}`;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server says
  readonly json: any;
}

/** One request, with an admin's token unless told otherwise. */
export async function call(
  method: string,
  path: string,
  body?: string | object,
  more: Record<string, string> = {},
): Promise<Answer> {
  const headers: Record<string, string> = { Authorization: 'Bearer admin', ...more };
  if (typeof body === 'object') headers['Content-Type'] ??= 'application/json';
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(base + path, init);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** Status and problem code. */
export const outcome = ({ status, json }: Answer): [number, unknown] => [status, json?.code];
