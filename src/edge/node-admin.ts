// The admin port of a running edge: what its routes need, from the parts of the node.

import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import { TokenVerifier } from '../core/token.js';
import { adminAuthorizer } from '../http/admin-auth.js';
import { type AdminServer, createAdminServer } from '../http/admin-server.js';
import type { InvestorBalances } from './admin-investors.js';
import type { AuditRunner, ReplayedRows } from './admin-ops.js';
import { edgeAdminRoutes } from './admin-routes.js';
import type { EdgeAuditModules } from './audit.js';
import type { NsqSources } from './audit-nsq.js';
import { monotonicMs, nowMs } from './clocks.js';
import type { IndexerClient } from './indexer-client.js';
import { metricSources } from './metric-sources.js';
import { Metrics } from './metrics.js';
import type { NodeParts } from './node-parts.js';
import type { Replication } from './replication.js';
import type { StartState } from './start-state.js';
import { isReady, type Readiness, StatusReport } from './status.js';

export interface NodeAdminModules {
  readonly config: Config;
  readonly logger: Logger;
  readonly state: StartState;
  readonly parts: NodeParts;
  readonly readiness: Readiness;
  /** From start to ready; null until then. */
  readonly recoveryS: () => number | null;
  readonly httpConnections: () => number;
}

/** Listens on the admin port; the error is for the operator. */
export async function startNodeAdmin(modules: NodeAdminModules): Promise<Result<AdminServer, string>> {
  const { config, logger, state, parts, readiness } = modules;
  const { counters, head, epoch, indexer } = state;
  const { rounds, views, outbox, upkeep } = parts;
  const outboxDepth = (): number => {
    parts.index.refresh();
    return parts.index.outboxCount();
  };
  const sources = metricSources({
    ...parts,
    counters,
    head,
    ownership: state.tenure.ownership,
    ready: () => isReady(readiness),
    recoveryS: modules.recoveryS,
    httpConnections: modules.httpConnections,
    outboxDepth,
    nowMs,
    monotonicMs,
  });
  return createAdminServer({
    host: config.adminHost,
    port: config.adminPort,
    authorize: adminAuthorizer(new TokenVerifier(state.token), nowMs),
    logger,
    routes: edgeAdminRoutes({
      rounds,
      views,
      metrics: new Metrics(sources),
      readiness,
      status: new StatusReport({ sources, readiness, nowMs, monotonicMs }),
      audit: lazyAudit({
        config,
        upkeep,
        counters,
        head,
        rounds,
        barrier: () => parts.gateway.barrier(),
        watermark: () => state.store.read(),
        epoch,
        rows: parts.replication?.client ?? null,
        nsq: nsqSources(parts, config),
        logger,
      }),
      replayer: {
        replay: async (dryRun) => {
          const unconfirmed = outboxDepth();
          const published = dryRun ? 0 : outbox.replay();
          const rows = await replayRows(parts.replication, dryRun);
          return rows.ok ? ok({ dryRun, unconfirmed, published, rows: rows.value }) : rows;
        },
      },
      investors: cachedBalances(indexer),
    }),
  });
}

/**
 * Loads what an audit takes, its HTTP client above all, when one is asked for: a start is mostly the loading of modules.
 */
function lazyAudit(modules: EdgeAuditModules): AuditRunner {
  return {
    run: async () => {
      try {
        const { EdgeAudit } = await import('./audit.js');
        return await new EdgeAudit(modules).run();
      } catch (error) {
        modules.logger.error({ err: error }, 'audit: it could not be loaded');
        return err({
          code: 'internal',
          detail: 'The audit could not be loaded; the log of the node says why.',
        });
      }
    },
  };
}

function nsqSources({ nsq, outbox, ids }: NodeParts, { nsqdHttp }: Config): NsqSources | null {
  if (nsq === null) return null;
  return {
    look: async () => {
      const { viewNsq } = await import('../engines/nsq/nsq-view.js');
      return await viewNsq(nsq, nsqdHttp);
    },
    published: () => new Map([...outbox.taken()].map(([sequence, times]) => [ids.idOf(sequence), times])),
  };
}

/** Writes again what Cassandra lacks of the journal, or only looks; null without Cassandra. */
async function replayRows(
  replication: Replication | null,
  dryRun: boolean,
): Promise<Result<ReplayedRows | null, Problem>> {
  if (replication === null) return ok(null);
  const compared = await replication.client.compare(!dryRun);
  if (!compared.ok)
    return err({ code: 'overloaded', detail: `Cassandra: ${compared.error}`, retryAfterS: 5 });
  const { upTo, missing, differing, repaired } = compared.value;
  return ok({ compared: upTo, missing, differing, repaired });
}

function cachedBalances(indexer: IndexerClient): InvestorBalances {
  return {
    get: async (investor) => {
      const found = await indexer.run({ kind: 'investor', investor });
      if (!found.ok || found.value === null || !found.value.known) return null;
      const { balance, currency, eligible } = found.value;
      return { investor, balance, currency, eligible };
    },
    put: async (lines) => {
      const stored = await indexer.run({ kind: 'balances', lines });
      if (!stored.ok) return err({ code: 'not-durable', detail: stored.error.message, retryAfterS: 5 });
      return ok(stored.value);
    },
  };
}
