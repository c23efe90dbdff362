// Where deploy/engines has put the real engines, and why a test that needs one can not run here.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolPath } from './tools.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SCRIPTS = join(ROOT, 'deploy/engines');
/** The same folder, and the same variable, as the scripts have. */
const CACHE = process.env['ENGINES_CACHE'] ?? join(ROOT, '.cache/engines');

/** Values of `deploy/engines/versions`, a file of NAME=VALUE lines. */
const versions = new Map(
  [...readFileSync(join(SCRIPTS, 'versions'), 'utf8').matchAll(/^(\w+)=(\S+)$/gm)].map(
    ([, name = '', value = '']) => [name, value],
  ),
);

function version(name: string): string {
  const value = versions.get(name);
  if (value === undefined) throw new Error(`deploy/engines/versions has no ${name}`);
  return value;
}

type NsqCommand = 'nsqd' | 'nsqlookupd' | 'nsqadmin' | 'nsq_tail' | 'nsq_stat';

/** The path of one of NSQ's commands. */
export function nsqCommand(name: NsqCommand): string {
  return join(CACHE, 'nsq', version('NSQ_VERSION'), 'bin', name);
}

/** The path of `etcd` or `etcdctl`. */
export function etcdCommand(name: 'etcd' | 'etcdctl'): string {
  return join(CACHE, 'etcd', version('ETCD_SERIES'), 'bin', name);
}

/** The folder of Cassandra's jars, and the script that runs a server from them. */
export const CASSANDRA_LIB: string = join(CACHE, 'cassandra', version('CASSANDRA_VERSION'), 'lib');
export const CASSANDRA_RUN: string = join(SCRIPTS, 'cassandra/run');

/** The script that makes certificates for tests. */
export const MAKE_CERTS: string = join(SCRIPTS, 'make-certs');

/** An engine as the tests name it: `nsqd` stands for all of NSQ. */
export type EngineName = 'nsqd' | 'etcd' | 'cassandra';

const isInstalled: Readonly<Record<EngineName, () => boolean>> = {
  nsqd: () => existsSync(nsqCommand('nsqd')),
  etcd: () => existsSync(etcdCommand('etcd')),
  cassandra: () =>
    existsSync(join(CASSANDRA_LIB, `cassandra-all-${version('CASSANDRA_VERSION')}.jar`)) &&
    toolPath('java') !== undefined,
};

/** For `{ skip }` of a test: why it can not run here, or false. With REQUIRE_ENGINES=1 it is never skipped. */
export function skipWithoutEngine(name: EngineName): string | false {
  if (process.env['REQUIRE_ENGINES'] === '1' || isInstalled[name]()) return false;
  return `needs ${name}: deploy/engines/engines install ${name === 'nsqd' ? 'nsq' : name}`;
}
