// What the tests of the NSQ bus share.

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
