// The admin port of a process that waits as a standby: it lives, it is not ready, and it says why.

import type { Logger } from 'pino';
import { err, type Result } from '../core/result.js';
import { type AdminServer, createAdminServer } from './admin-server.js';
import { content, json } from './responses.js';

export interface WaitingServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** The body of /readyz, answered with 503. */
  readonly readyz: () => unknown;
  /** The body of /metrics. */
  readonly metrics: () => string;
  readonly logger: Logger;
}

/** Listens; the error is for the operator. */
export function startWaitingServer(options: WaitingServerOptions): Promise<Result<AdminServer, string>> {
  const { host, port, readyz, metrics, logger } = options;
  return createAdminServer({
    host,
    port,
    // Nothing here needs a token.
    authorize: () => err('unauthenticated'),
    logger,
    routes: [
      { method: 'GET', path: '/healthz', access: 'none', handler: () => json({ status: 'alive' }) },
      {
        method: 'GET',
        path: '/readyz',
        access: 'none',
        handler: () => json(readyz(), 503, { 'Retry-After': '1' }),
      },
      {
        method: 'GET',
        path: '/metrics',
        access: 'none',
        handler: () => content(metrics(), 'text/plain; version=0.0.4; charset=utf-8'),
      },
    ],
  });
}
