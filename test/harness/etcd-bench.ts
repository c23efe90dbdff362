// What tests of the etcd adapters share: one etcd per file, a cluster name and clients per test.

import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { EtcdClient } from '../../src/engines/etcd/etcd-client.js';
import { EtcdKeys } from '../../src/engines/etcd/etcd-keys.js';
import { EtcdOwnershipStore } from '../../src/engines/etcd/etcd-ownership.js';
import type { Condition, Op } from '../../src/engines/etcd/etcd-txn.js';

let clusters = 0;

/** Keys that no other test has. */
export const freshKeys = (): EtcdKeys => new EtcdKeys(`test-${++clusters}`);

/** A client that is closed when the test is over. */
export function clientOf(t: TestContext, ...endpoints: readonly string[]): EtcdClient {
  const client = new EtcdClient({ endpoints, tls: null, login: null });
  t.after(() => client.close());
  return client;
}

/** Owners as processes of different places would be. */
export function ownershipOf(
  client: EtcdClient,
  keys: EtcdKeys,
  node: string,
  options: { readonly ttlS?: number; readonly place?: string } = {},
): EtcdOwnershipStore {
  return new EtcdOwnershipStore({
    client,
    keys,
    node,
    place: options.place ?? `place of ${node}`,
    ttlS: options.ttlS ?? 10,
    clockNs: () => process.hrtime.bigint(),
    logger: pino({ level: 'silent' }),
  });
}

/** Changes etcd behind everybody's back. */
export async function change(
  client: EtcdClient,
  ops: readonly Op[],
  when: readonly Condition[] = [],
): Promise<void> {
  const made = await client.txn({ when, change: ops, otherwise: [] });
  if (!made.ok || !made.value.succeeded) throw new Error(`not changed: ${JSON.stringify(made)}`);
}

/** The value of a key now, or undefined. */
export async function storedValue(client: EtcdClient, key: string): Promise<string | undefined> {
  const read = await client.read([{ get: key }]);
  if (!read.ok) throw new Error(read.error.message);
  return read.value[0]?.[0]?.value;
}

/** Waits until `isSo`, at most `timeoutMs`. */
export async function until(isSo: () => Promise<boolean> | boolean, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`still not so after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
