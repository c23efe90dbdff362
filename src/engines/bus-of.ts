// Which bus a process speaks on: NSQ where it is configured, else the embedded link between edge and ledger.

import { readFileSync, statSync } from 'node:fs';
import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { CONFIG_FILE_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Bus } from './bus.js';
import { linkSocketPath } from './link-path.js';
import { connectLocalLink, listenLocalLink } from './local-link.js';
import type { NsqSettings, NsqTls } from './nsq/nsq-settings.js';

/** How the processes of one node share NSQ's topics: each side has a channel of its own. */
export const CHANNELS = { edge: 'edge', ledger: 'ledger' } as const;

type NsqConfig = Pick<
  Config,
  'nsqd' | 'nsqlookupd' | 'nsqTlsCa' | 'nsqTlsCert' | 'nsqTlsKey' | 'nsqAuthSecret'
>;

/** What the configuration says of NSQ, certificates read; undefined when it is not used. The error is for the operator. */
export function nsqSettingsOf(config: NsqConfig): Result<NsqSettings | undefined, string> {
  const { nsqd, nsqlookupd, nsqAuthSecret } = config;
  if (nsqd.length === 0 && nsqlookupd.length === 0) return ok(undefined);
  const tls = tlsOf(config);
  return tls.ok ? ok({ nsqd, nsqlookupd, tls: tls.value, authSecret: nsqAuthSecret ?? null }) : tls;
}

/** The edge's bus; it connects by itself, now and after every interruption. */
export async function edgeBus(dataDir: string, nsq: NsqSettings | undefined, logger: Logger): Promise<Bus> {
  return nsq === undefined
    ? connectLocalLink({ path: linkSocketPath(dataDir), logger })
    : await nsqBus(nsq, CHANNELS.edge, logger);
}

/** The ledger's bus. Only the embedded link can fail: it has to listen. */
export async function ledgerBus(
  dataDir: string,
  nsq: NsqSettings | undefined,
  logger: Logger,
): Promise<Result<Bus, string>> {
  return nsq === undefined
    ? listenLocalLink({ path: linkSocketPath(dataDir), logger })
    : ok(await nsqBus(nsq, CHANNELS.ledger, logger));
}

/** Loaded only where it is used: a start is mostly the loading of modules. */
async function nsqBus(settings: NsqSettings, channel: string, logger: Logger): Promise<Bus> {
  const { NsqBus } = await import('./nsq/nsq-bus.js');
  return new NsqBus({ settings, channel, logger });
}

/** TLS is on as soon as one of its settings is there. */
function tlsOf({ nsqTlsCa, nsqTlsCert, nsqTlsKey }: NsqConfig): Result<NsqTls | null, string> {
  if (nsqTlsCa === undefined && nsqTlsCert === undefined && nsqTlsKey === undefined) return ok(null);
  if ((nsqTlsCert === undefined) !== (nsqTlsKey === undefined))
    return err('OPENBELL_NSQ_TLS_CERT and OPENBELL_NSQ_TLS_KEY go together: set both or none');
  const ca = pemFile('OPENBELL_NSQ_TLS_CA', nsqTlsCa);
  const cert = pemFile('OPENBELL_NSQ_TLS_CERT', nsqTlsCert);
  const key = pemFile('OPENBELL_NSQ_TLS_KEY', nsqTlsKey);
  if (!ca.ok) return ca;
  if (!cert.ok) return cert;
  return key.ok ? ok({ ca: ca.value, cert: cert.value, key: key.value }) : key;
}

function pemFile(variable: string, path: string | undefined): Result<Buffer | undefined, string> {
  if (path === undefined) return ok(undefined);
  try {
    if (statSync(path).size > CONFIG_FILE_BYTES_MAX)
      return err(`${variable} ${path} is too large for a PEM file`);
    const bytes = readFileSync(path);
    return bytes.includes('-----BEGIN ') ? ok(bytes) : err(`${variable} ${path} is not a PEM file`);
  } catch (error) {
    return err(`${variable} ${path} cannot be read: ${(error as Error).message}`);
  }
}
