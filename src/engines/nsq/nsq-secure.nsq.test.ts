// TLS and authentication to a real nsqd: what is trusted, what is shown, and what is refused.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type Certificates, makeCertificates } from '../../../test/harness/certificates.js';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { type NsqdOptions, startNsqd } from '../../../test/harness/nsq.js';
import { freePorts } from '../../../test/harness/ports.js';
import type { Message } from '../bus.js';
import { TOPIC, until } from '../bus-contract-rig.js';
import { authServer, logger, nsqBus } from './nsq-bench.js';
import { NsqBus } from './nsq-bus.js';
import type { NsqSettings, NsqTls } from './nsq-settings.js';

const skip = skipWithoutEngine('nsqd');

async function nsqd(t: TestContext, options: NsqdOptions): ReturnType<typeof startNsqd> {
  const started = await startNsqd(options);
  t.after(() => started.remove());
  return started;
}

async function certificates(t: TestContext): Promise<Certificates> {
  const made = await makeCertificates();
  t.after(() => made.remove());
  return made;
}

const trust = (made: Certificates, withClient = true): NsqTls => ({
  ca: readFileSync(made.ca),
  cert: withClient ? readFileSync(made.clientCert) : undefined,
  key: withClient ? readFileSync(made.clientKey) : undefined,
});

/** Resolves to the reason of the first failed connection. */
function refusal(t: TestContext, address: string, settings: Partial<NsqSettings>): Promise<string> {
  return new Promise((resolve) => {
    const listening = Object.assign(Object.create(logger), {
      warn: ({ reason }: { reason: string }) => resolve(reason),
    });
    const all = { nsqd: [address], nsqlookupd: [], tls: null, authSecret: null, ...settings };
    const bus = new NsqBus({
      settings: all,
      channel: 'test',
      logger: listening,
      timings: { heartbeatMs: 1_000 },
    });
    t.after(() => bus.close());
  });
}

async function roundTrip(bus: NsqBus): Promise<void> {
  const seen: Message[] = [];
  bus.subscribe(TOPIC, (message) => seen.push(message), { maxInFlight: 1 });
  await until(() => bus.connected, 'a connection');
  assert.ok((await bus.publish(TOPIC, [Buffer.from('secret')])).ok);
  await until(() => seen.length === 1, 'the message');
  seen[0]?.finish();
}

test('over TLS, with a certificate of our own where nsqd asks for one', { skip }, async (t) => {
  const made = await certificates(t);
  const { tcpAddress } = await nsqd(t, { tls: { certificates: made, clientCertificate: true } });
  await roundTrip(nsqBus(t, [tcpAddress], { settings: { tls: trust(made) } }));
  assert.match(await refusal(t, tcpAddress, { tls: trust(made, false) }), /certificate|closed|reset|EOF/i);
  assert.match(await refusal(t, tcpAddress, { tls: null }), /E_INVALID|TLS|closed/i);
});

test('a certificate of another authority, or for another address, is refused', { skip }, async (t) => {
  const [made, others] = [await certificates(t), await certificates(t)];
  const [port] = (await freePorts(1)) as [number];
  const tls = { certificates: made };
  const { tcpAddress } = await nsqd(t, { tls });
  assert.match(await refusal(t, tcpAddress, { tls: trust(others, false) }), /certificate/i);
  const elsewhere = await nsqd(t, { tls, args: [`-tcp-address=127.0.0.2:${port}`] });
  assert.ok(elsewhere.isRunning());
  const reason = await refusal(t, `127.0.0.2:${port}`, { tls: trust(made, false) });
  assert.match(reason, /127\.0\.0\.2/, 'the name that was asked for is the one that is checked');
});

test('with the secret that nsqd asks for, and not without', { skip }, async (t) => {
  const auth = await authServer(t, 'open-sesame');
  const { tcpAddress } = await nsqd(t, { args: [`-auth-http-address=${auth}`] });
  await roundTrip(nsqBus(t, [tcpAddress], { settings: { authSecret: 'open-sesame' } }));
  assert.match(await refusal(t, tcpAddress, { authSecret: 'wrong' }), /E_AUTH_FAILED/);
});
