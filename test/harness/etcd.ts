// A real etcd for tests: one member, or several of one cluster, with free ports and data of their own.

import { join } from 'node:path';
import type { EngineTls } from './certificates.js';
import { etcdCommand } from './engine-files.js';
import { type Engine, startEngine } from './engine-process.js';
import { httpBody } from './http-call.js';
import { freePorts } from './ports.js';

const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 20_000;
const ASK_TIMEOUT_MS = 2_000;

export interface EtcdOptions {
  /** etcd's default: 100 ms. */
  readonly heartbeatIntervalMs?: number;
  /** etcd's default: 1,000 ms. The shortest TTL that a lease gets is 1.5 times this, in whole seconds. */
  readonly electionTimeoutMs?: number;
  /** Size of the database at which writes are refused. */
  readonly quotaBackendBytes?: number;
  /** TLS for clients, and only TLS. */
  readonly tls?: EngineTls;
  /** Its place in a cluster; alone when absent. */
  readonly member?: EtcdMember;
  /** More flags. */
  readonly args?: readonly string[];
}

interface EtcdMember {
  readonly name: string;
  readonly peerPort: number;
  /** `name=peer URL` of every member, itself too, separated by commas. */
  readonly cluster: string;
}

export interface Etcd extends Engine {
  /** `http://host:port`, or `https:` with TLS. */
  readonly clientUrl: string;
  /** `host:port` of the same. */
  readonly clientAddress: string;
}

/** Starts an etcd and waits until it says that it is healthy. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const [clientPort, freePort] = (await freePorts(2)) as [number, number];
  const { tls } = options;
  const { name, peerPort, cluster } = options.member ?? alone(freePort);
  const clientAddress = `127.0.0.1:${clientPort}`;
  const clientUrl = `${tls ? 'https' : 'http'}://${clientAddress}`;
  const peerUrl = peerUrlOf(peerPort);
  const flags = [
    `--name=${name}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=${cluster}`,
    '--logger=zap',
    ...(options.heartbeatIntervalMs === undefined
      ? []
      : [`--heartbeat-interval=${options.heartbeatIntervalMs}`]),
    ...(options.electionTimeoutMs === undefined ? [] : [`--election-timeout=${options.electionTimeoutMs}`]),
    ...(options.quotaBackendBytes === undefined
      ? []
      : [`--quota-backend-bytes=${options.quotaBackendBytes}`]),
    ...(tls ? tlsFlags(tls) : []),
    ...(options.args ?? []),
  ];
  const engine = await startEngine({
    name: 'etcd',
    command: (directory) => [etcdCommand('etcd'), `--data-dir=${join(directory, 'data')}`, ...flags],
    ask: async () => {
      const health = await httpBody(`${clientUrl}/health`, {
        timeoutMs: ASK_TIMEOUT_MS,
        ...(tls ? { certificates: tls.certificates } : {}),
      });
      if (!/"health":\s*"true"/.test(health)) throw new Error(`unhealthy: ${health}`);
    },
    readyTimeoutMs: READY_TIMEOUT_MS,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  return Object.assign(engine, { clientUrl, clientAddress });
}

const peerUrlOf = (port: number): string => `http://127.0.0.1:${port}`;

const alone = (peerPort: number): EtcdMember => ({
  name: 'test',
  peerPort,
  cluster: `test=${peerUrlOf(peerPort)}`,
});

/** Starts so many members of one cluster, and waits until each says that it is healthy. */
export async function startEtcdCluster(size: number): Promise<readonly Etcd[]> {
  const ports = await freePorts(size);
  const cluster = ports.map((port, at) => `member-${at}=${peerUrlOf(port)}`).join(',');
  // Together: one alone waits for the others.
  return Promise.all(
    ports.map((peerPort, at) => startEtcd({ member: { name: `member-${at}`, peerPort, cluster } })),
  );
}

function tlsFlags({ certificates, clientCertificate }: EngineTls): string[] {
  return [
    `--cert-file=${certificates.serverCert}`,
    `--key-file=${certificates.serverKey}`,
    // With an authority etcd asks every client for a certificate, also without --client-cert-auth.
    ...(clientCertificate ? ['--client-cert-auth', `--trusted-ca-file=${certificates.ca}`] : []),
  ];
}
