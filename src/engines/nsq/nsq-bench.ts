// What the tests of the NSQ bus share.

import { createServer } from 'node:http';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { NsqBus } from './nsq-bus.js';
import type { NsqSettings, NsqTimings } from './nsq-settings.js';

export const logger = pino({ level: 'silent' });

/** Patience for tests: everything that is waited for by time is soon. */
const QUICK: Partial<NsqTimings> = {
  heartbeatMs: 1_000,
  responseTimeoutMs: 700,
  publishTimeoutMs: 2_000,
  reconnectMinMs: 10,
  reconnectMaxMs: 100,
  stableMs: 100,
  lookupMs: 100,
};

/** A bus that is closed after the test. */
export function nsqBus(
  t: TestContext,
  nsqd: readonly string[],
  more: { settings?: Partial<NsqSettings>; timings?: Partial<NsqTimings>; channel?: string } = {},
): NsqBus {
  const bus = new NsqBus({
    settings: { nsqd, nsqlookupd: [], tls: null, authSecret: null, ...more.settings },
    channel: more.channel ?? 'test',
    logger,
    timings: { ...QUICK, ...more.timings },
  });
  t.after(() => bus.close());
  return bus;
}

/** Whom an nsqd asks about a secret: this one may do everything, any other nothing. `host:port` for -auth-http-address. */
export async function authServer(t: TestContext, secret: string): Promise<string> {
  const server = createServer((request, response) => {
    const isKnown = new URL(request.url ?? '', 'http://x').searchParams.get('secret') === secret;
    const authorizations = [{ topic: '.*', channels: ['.*'], permissions: ['subscribe', 'publish'] }];
    response.statusCode = isKnown ? 200 : 403;
    response.end(JSON.stringify(isKnown ? { ttl: 3_600, identity: 'openbell', authorizations } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}
