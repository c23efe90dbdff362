// Real nsqd and nsqlookupd for tests, each with free ports and data of its own.

import type { EngineTls } from './certificates.js';
import { nsqCommand } from './engine-files.js';
import { type Engine, startEngine } from './engine-process.js';
import { httpBody } from './http-call.js';
import { freePorts } from './ports.js';

const READY_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 20_000;
const ASK_TIMEOUT_MS = 2_000;

export interface NsqdOptions {
  /** Messages of a topic or channel kept in memory, lost by `kill`; 0: all on disk. nsqd's default: 10,000. */
  readonly memQueueSize?: number;
  /** When an unanswered message goes out again. nsqd's default: 60 s. */
  readonly msgTimeoutMs?: number;
  /** Messages written to disk per sync. nsqd's default: 2,500. */
  readonly syncEvery?: number;
  readonly maxMsgSizeBytes?: number;
  /** The most messages in flight that a consumer may ask for. */
  readonly maxRdyCount?: number;
  /** `host:port` (TCP) of each nsqlookupd to register with. */
  readonly lookupdTcpAddresses?: readonly string[];
  /** TLS, and only TLS, on both ports. */
  readonly tls?: EngineTls;
  /** More flags, such as `-auth-http-address=127.0.0.1:1234`. */
  readonly args?: readonly string[];
}

export interface Nsqd extends Engine {
  readonly host: string;
  readonly tcpPort: number;
  /** `host:port` of the TCP protocol. */
  readonly tcpAddress: string;
  /** Base of the HTTP calls; `https:` with TLS. */
  readonly httpUrl: string;
}

/** Starts an nsqd and waits until it answers. */
export async function startNsqd(options: NsqdOptions = {}): Promise<Nsqd> {
  const [tcpPort, httpPort, httpsPort] = (await freePorts(3)) as [number, number, number];
  const { tls } = options;
  const host = '127.0.0.1';
  const httpUrl = tls ? `https://${host}:${httpsPort}` : `http://${host}:${httpPort}`;
  const flags = [
    `-tcp-address=${host}:${tcpPort}`,
    `-http-address=${host}:${httpPort}`,
    `-broadcast-address=${host}`,
    ...(options.memQueueSize === undefined ? [] : [`-mem-queue-size=${options.memQueueSize}`]),
    ...(options.msgTimeoutMs === undefined ? [] : [`-msg-timeout=${options.msgTimeoutMs}ms`]),
    ...(options.syncEvery === undefined ? [] : [`-sync-every=${options.syncEvery}`]),
    ...(options.maxMsgSizeBytes === undefined ? [] : [`-max-msg-size=${options.maxMsgSizeBytes}`]),
    ...(options.maxRdyCount === undefined ? [] : [`-max-rdy-count=${options.maxRdyCount}`]),
    ...(options.lookupdTcpAddresses ?? []).map((address) => `-lookupd-tcp-address=${address}`),
    ...(tls ? [`-https-address=${host}:${httpsPort}`, ...tlsFlags(tls)] : []),
    ...(options.args ?? []),
  ];
  const engine = await startEngine({
    name: 'nsqd',
    command: (directory) => [nsqCommand('nsqd'), `-data-path=${directory}`, ...flags],
    ask: async () => {
      await httpBody(`${httpUrl}/ping`, {
        timeoutMs: ASK_TIMEOUT_MS,
        ...(tls ? { certificates: tls.certificates } : {}),
      });
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  return Object.assign(engine, { host, tcpPort, tcpAddress: `${host}:${tcpPort}`, httpUrl });
}

function tlsFlags({ certificates, clientCertificate }: EngineTls): string[] {
  return [
    `-tls-cert=${certificates.serverCert}`,
    `-tls-key=${certificates.serverKey}`,
    `-tls-root-ca-file=${certificates.ca}`,
    '-tls-required=true',
    ...(clientCertificate ? ['-tls-client-auth-policy=require-verify'] : []),
  ];
}

export interface NsqlookupdOptions {
  /** A producer not heard of for this long is no longer named. nsqlookupd's default: 300 s. */
  readonly inactiveProducerTimeoutMs?: number;
}

export interface Nsqlookupd extends Engine {
  /** `host:port` for `lookupdTcpAddresses` of an nsqd. */
  readonly tcpAddress: string;
  /** Base of `/lookup?topic=` and the other HTTP calls. */
  readonly httpUrl: string;
}

/** Starts an nsqlookupd and waits until it answers. It keeps nothing: after a restart the nsqds register again. */
export async function startNsqlookupd(options: NsqlookupdOptions = {}): Promise<Nsqlookupd> {
  const [tcpPort, httpPort] = (await freePorts(2)) as [number, number];
  const tcpAddress = `127.0.0.1:${tcpPort}`;
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const { inactiveProducerTimeoutMs } = options;
  const engine = await startEngine({
    name: 'nsqlookupd',
    command: () => [
      nsqCommand('nsqlookupd'),
      `-tcp-address=${tcpAddress}`,
      `-http-address=127.0.0.1:${httpPort}`,
      '-broadcast-address=127.0.0.1',
      ...(inactiveProducerTimeoutMs === undefined
        ? []
        : [`-inactive-producer-timeout=${inactiveProducerTimeoutMs}ms`]),
    ],
    ask: async () => {
      await httpBody(`${httpUrl}/ping`, { timeoutMs: ASK_TIMEOUT_MS });
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  return Object.assign(engine, { tcpAddress, httpUrl });
}
