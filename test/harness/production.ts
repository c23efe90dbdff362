// Production on one machine, for tests: nsqd, etcd and Cassandra, all three configured at the edge and at the ledger, which
// share a data directory and come back on the same ports.

import { type Etcd, startEtcd } from './etcd.js';
import {
  type EdgeProcess,
  type Exit,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from './node-process.js';
import { type Nsqd, startNsqd } from './nsq.js';
import { freePorts } from './ports.js';

/** Far more than a test ever queues: nsqd then has all of it in memory only, and loses it when it is killed. */
const MEMORY_QUEUE = 1_000_000;

export interface ProductionOptions {
  /** `host:port` of the Cassandra, whose life is the caller's. */
  readonly contactPoint: string;
  /** Made by `openbell migrate`. */
  readonly keyspace: string;
  /** OPENBELL_* settings of both processes and of commands, over what is set here. */
  readonly env?: Readonly<Record<string, string>>;
  /** True: nsqd holds everything in memory. */
  readonly queueInMemory?: boolean;
  /** Where edge and ledger keep their files; a directory of its own when absent. */
  readonly dataDir?: string;
}

export interface Production {
  readonly nsqd: Nsqd;
  readonly etcd: Etcd;
  readonly dataDir: string;
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly ledgerUrl: string;
  /** Starts the process; `waitReady` false: without waiting until it is ready. */
  startEdge(waitReady?: boolean): Promise<EdgeProcess>;
  startLedger(waitReady?: boolean): Promise<LedgerProcess>;
  /** Runs an `openbell` command in the same settings. */
  command(args: readonly string[]): Promise<Exit & { readonly stdout: string; readonly stderr: string }>;
  /** Ends nsqd and etcd, and deletes what they and a data directory of its own hold. Edge and ledger are the caller's. */
  remove(): Promise<void>;
}

/** Starts nsqd and etcd and migrates the keyspace; neither edge nor ledger runs yet. */
export async function startProduction(options: ProductionOptions): Promise<Production> {
  const [publicPort, adminPort, ledgerPort] = (await freePorts(3)) as [number, number, number];
  const nsqd = await startNsqd(options.queueInMemory === true ? { memQueueSize: MEMORY_QUEUE } : {});
  const etcd = await startEtcd().catch(async (error: unknown) => {
    await nsqd.remove();
    throw error;
  });
  const place = options.dataDir === undefined ? await temporaryDataDir() : null;
  const dataDir = options.dataDir ?? (place as { readonly dataDir: string }).dataDir;
  const urls = {
    publicUrl: `http://127.0.0.1:${publicPort}`,
    adminUrl: `http://127.0.0.1:${adminPort}`,
    ledgerUrl: `http://127.0.0.1:${ledgerPort}`,
  };
  const env = {
    OPENBELL_NSQD: nsqd.tcpAddress,
    OPENBELL_ETCD: etcd.clientAddress,
    OPENBELL_CASSANDRA: options.contactPoint,
    OPENBELL_CASSANDRA_KEYSPACE: options.keyspace,
    OPENBELL_ADMIN_URL: urls.adminUrl,
    OPENBELL_LEDGER_URL: urls.ledgerUrl,
    ...options.env,
  };
  const common = { dataDir, env };
  const remove = async (): Promise<void> => {
    await Promise.all([nsqd.remove(), etcd.remove()]);
    await place?.remove();
  };
  const command: Production['command'] = (args) => runCommand(args, common);
  const migrated = await command(['migrate', '--replication', '1']);
  if (migrated.code !== 0) {
    await remove();
    throw new Error(`openbell migrate: exit ${migrated.code}\n${migrated.stdout}${migrated.stderr}`);
  }
  return {
    ...{ nsqd, etcd, dataDir, ...urls, command, remove },
    startEdge: (waitReady = true) =>
      startEdgeProcess({ ...common, ports: [publicPort, adminPort], waitReady }),
    startLedger: (waitReady = true) => startLedgerProcess({ ...common, ports: [ledgerPort], waitReady }),
  };
}
