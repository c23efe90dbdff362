// Admin routes for whoever keeps the node running: probes, metrics, status, audit, replay and the page that shows them.

import { AUDIT_DEADLINE_MS } from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import type { Result } from '../core/result.js';
import type { AdminRoute } from '../http/admin-routes.js';
import { readJsonObject } from '../http/json-body.js';
import { content, json, malformed, problem } from '../http/responses.js';
import type { Metrics } from './metrics.js';
import { OPS_PAGE, OPS_PAGE_POLICY } from './ops-page.js';
import { isReady, type Readiness, type StatusReport } from './status.js';

/** What `openbell audit` prints. */
export interface AuditReport {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly differences: readonly {
    readonly kind: string;
    readonly investment?: string;
    readonly detail: string;
  }[];
}

export interface AuditRunner {
  /** Compares journal, queue, ledger and watermark. Differences are a result; a problem is that it could not look. */
  run(): Promise<Result<AuditReport, Problem>>;
}

export interface ReplayReport {
  /** Accepted investments that the ledger has not confirmed, and how many of them were published again. */
  readonly unconfirmed: number;
  readonly published: number;
  /** Null without Cassandra. */
  readonly rows: ReplayedRows | null;
}

export interface ReplayedRows {
  /** Rows in Cassandra that were compared with the journal; those that were missing or differed, and were mended. */
  readonly compared: number;
  readonly missing: number;
  readonly differing: number;
  readonly repaired: number;
}

export interface Replayer {
  /** Publishes again what the ledger has not confirmed, and writes the rows that Cassandra lacks; a dry run only counts. */
  replay(dryRun: boolean): Promise<Result<ReplayReport, Problem>>;
}

export interface OpsModules {
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly status: StatusReport;
  readonly audit: AuditRunner;
  readonly replayer: Replayer;
}

export function opsRoutes(modules: OpsModules): readonly AdminRoute[] {
  const { metrics, readiness, status, replayer } = modules;
  const audit = shared(() => modules.audit.run());
  return [
    {
      method: 'GET',
      path: '/',
      access: 'none',
      handler: () => ({
        ...content(OPS_PAGE, 'text/html; charset=utf-8'),
        headers: { 'Content-Security-Policy': OPS_PAGE_POLICY, 'Referrer-Policy': 'no-referrer' },
      }),
    },
    {
      method: 'GET',
      path: '/metrics',
      access: 'none',
      handler: async () => content(await metrics.render(), metrics.contentType),
    },
    { method: 'GET', path: '/healthz', access: 'none', handler: () => json({ status: 'alive' }) },
    {
      method: 'GET',
      path: '/readyz',
      access: 'none',
      handler: () => {
        const ready = isReady(readiness);
        return json(
          { ready, parts: readiness.parts() },
          ready ? 200 : 503,
          ready ? {} : { 'Retry-After': '1' },
        );
      },
    },
    { method: 'GET', path: '/admin/v1/status', access: 'none', handler: () => json(status.read()) },
    {
      method: 'GET',
      path: '/admin/v1/audit',
      access: 'admin',
      deadlineMs: AUDIT_DEADLINE_MS,
      handler: async () => {
        const report = await audit();
        return report.ok ? json(report.value) : problem(report.error);
      },
    },
    {
      method: 'POST',
      path: '/admin/v1/replay',
      access: 'admin',
      deadlineMs: AUDIT_DEADLINE_MS,
      handler: async ({ body }) => {
        const options =
          body.byteLength === 0 ? null : readJsonObject<{ dryRun?: boolean }>(body, REPLAY_RULES);
        if (options !== null && !options.ok) return malformed(options.error.detail, options.error.pointer);
        const replayed = await replayer.replay(options?.value.dryRun ?? false);
        return replayed.ok ? json(replayed.value) : problem(replayed.error);
      },
    },
  ];
}

const REPLAY_RULES = {
  dryRun: {
    check: (value: unknown) => typeof value === 'boolean',
    expected: 'true or false',
    optional: true,
  },
} as const;

/** Whoever asks while it runs waits for the same run: an audit reads the whole journal. */
function shared<T>(run: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | null = null;
  return () => {
    running ??= run().finally(() => {
      running = null;
    });
    return running;
  };
}
