// For tests: a real etcd, a real Cassandra, and pairs of an owner with an open round and a standby with nothing.

import type { TestContext } from 'node:test';
import type { CassandraOptions } from '../../src/engines/cassandra/options.js';
import { type Cassandra, startCassandra } from '../harness/cassandra.js';
import { type ClusterNode, nodeOf, openRound, untilStandby } from '../harness/cluster-bench.js';
import { type Etcd, startEtcd } from '../harness/etcd.js';
import { cassandraEnv } from './edge-rows.js';
import { migrated, testOptions } from './keyspace.js';

type Ack = 'journal' | 'replicated';

export interface TakeoverPair {
  readonly cluster: string;
  readonly env: Record<string, string>;
  readonly owner: ClusterNode;
  readonly standby: ClusterNode;
}

export class TakeoverBench {
  readonly cassandra: Cassandra;
  readonly etcd: Etcd;
  readonly options: CassandraOptions;
  #clusters = 0;

  private constructor(cassandra: Cassandra, etcd: Etcd, options: CassandraOptions) {
    this.cassandra = cassandra;
    this.etcd = etcd;
    this.options = options;
  }

  static async start(): Promise<TakeoverBench> {
    const [cassandra, etcd] = await Promise.all([startCassandra(), startEtcd()]);
    const options = await migrated(testOptions(cassandra.contactPoint, 'takeover'));
    return new TakeoverBench(cassandra, etcd, options);
  }

  freshCluster(): string {
    return `takeover-${++this.#clusters}`;
  }

  env(ack: Ack, contactPoint = this.cassandra.contactPoint): Record<string, string> {
    return cassandraEnv({ ...this.options, contactPoints: [contactPoint] }, { OPENBELL_ACK: ack });
  }

  /** @param contactPoint where the owner reaches Cassandra, if not as everybody does */
  async pair(t: TestContext, ack: Ack, contactPoint?: string): Promise<TakeoverPair> {
    const cluster = this.freshCluster();
    const env = this.env(ack);
    const etcd = this.etcd.clientAddress;
    const owner = await nodeOf(t, cluster, 'one', { etcd, env: this.env(ack, contactPoint) });
    const standby = await nodeOf(t, cluster, 'two', { etcd, env, waitReady: false });
    await untilStandby(standby.edge, 'one');
    await openRound(owner.edge);
    return { cluster, env, owner, standby };
  }

  async remove(): Promise<void> {
    await Promise.all([this.cassandra.remove(), this.etcd.remove()]);
  }
}
