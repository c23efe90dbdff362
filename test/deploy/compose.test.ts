import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { skipWithout } from '../harness/tools.js';

const FILE = fileURLToPath(new URL('../../../deploy/compose.yaml', import.meta.url));
const SINGLES = ['cassandra', 'etcd', 'nsqd', 'nsqlookupd'];
const CLUSTER = ['cassandra-2', 'cassandra-3', 'etcd-1', 'etcd-2', 'etcd-3', 'nsqd-2'];

interface Service {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
}

const { services, volumes } = parse(readFileSync(FILE, 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};

/** `docker compose` where the plugin is there, else the `docker-compose` of Debian. */
function compose(...args: readonly string[]): string {
  const hasPlugin = spawnSync('docker', ['compose', 'version']).status === 0;
  const command = hasPlugin ? ['docker', 'compose'] : ['docker-compose'];
  const [program = '', ...rest] = [...command, '-p', 'openbell', '-f', FILE, ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

const skip = spawnSync('docker', ['compose', 'version']).status === 0 ? false : skipWithout('docker-compose');

test('compose takes the file: single nodes by default, the others in a profile of their own', {
  skip,
}, () => {
  const named = (...args: readonly string[]): string[] =>
    compose(...args, 'config', '--services')
      .trim()
      .split('\n')
      .toSorted();
  // An old compose lists the services of every profile; what it takes up is in the configuration itself.
  assert.ok(SINGLES.every((name) => named().includes(name)));
  assert.deepEqual(named('--profile', 'cluster'), [...SINGLES, ...CLUSTER].toSorted());
});

test('which services are single, and which are of the profile', () => {
  const inProfile = (profile?: string): string[] =>
    Object.keys(services)
      .filter((name) => services[name]?.profiles?.[0] === profile)
      .toSorted();
  assert.deepEqual(inProfile(), SINGLES);
  assert.deepEqual(inProfile('cluster'), CLUSTER);
});

test('every image has an exact version, every service is asked whether it is well', () => {
  for (const [name, { image, healthcheck }] of Object.entries(services)) {
    assert.match(image, /:v?\d+\.\d+\.\d+$/, name);
    assert.ok((healthcheck?.test.length ?? 0) > 1, name);
  }
});

test('every service that keeps something keeps it in a volume of its own', () => {
  const used = Object.values(services).flatMap((service) =>
    (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? ''),
  );
  assert.deepEqual(used.toSorted(), Object.keys(volumes).toSorted());
  assert.deepEqual(
    Object.keys(services).filter((name) => services[name]?.volumes === undefined),
    ['nsqlookupd'],
  );
});

test('only loopback is published, and no port twice', () => {
  const ports = Object.values(services).flatMap((service) => service.ports ?? []);
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
  const outside = ports.map((port) => port.split(':')[1]);
  assert.equal(new Set(outside).size, outside.length);
});

test('what a service waits for is started with it, and says when it is well', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      assert.equal(condition, 'service_healthy', name);
      const profile = services[other]?.profiles?.[0];
      assert.ok(other in services && (profile === undefined || profile === service.profiles?.[0]), name);
    }
  }
});

test('the three etcds are one cluster of three', () => {
  const members = ['etcd-1', 'etcd-2', 'etcd-3'].map((name) => services[name]?.environment ?? {});
  const expected = members.map(
    ({ ETCD_NAME, ETCD_INITIAL_ADVERTISE_PEER_URLS: url }) => `${ETCD_NAME}=${url}`,
  );
  for (const { ETCD_INITIAL_CLUSTER } of members) assert.equal(ETCD_INITIAL_CLUSTER, expected.join(','));
  assert.equal(new Set(expected).size, 3);
});
