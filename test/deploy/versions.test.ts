import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../deploy/${path}`, import.meta.url)), 'utf8');

/** All that a pattern's group finds in a file, each once. */
function found(path: string, pattern: RegExp): (string | undefined)[] {
  return [...new Set([...read(path).matchAll(pattern)].map((match) => match[1]))];
}

const [nsq] = found('engines/versions', /^NSQ_VERSION=(.+)$/gm);
const [etcd] = found('engines/versions', /^ETCD_SERIES=(.+)$/gm);
const [cassandra] = found('engines/versions', /^CASSANDRA_VERSION=(.+)$/gm);

test('one version of NSQ, wherever it is named', () => {
  assert.match(`${nsq}`, /^\d+\.\d+\.\d+$/);
  assert.deepEqual(found('engines/nsq/go.mod', /nsqio\/nsq v(\S+)/g), [nsq]);
  assert.deepEqual(found('compose.yaml', /nsqio\/nsq:v(\S+)/g), [nsq]);
});

test('one series of etcd, wherever it is named', () => {
  assert.match(`${etcd}`, /^\d+\.\d+$/);
  assert.deepEqual(found('compose.yaml', /etcd:v(\d+\.\d+)\.\d+/g), [etcd]);
});

test('one version of Cassandra, wherever it is named', () => {
  assert.match(`${cassandra}`, /^\d+\.\d+\.\d+$/);
  const pom = /<artifactId>cassandra-all<\/artifactId>\s*<version>([^<]+)/g;
  assert.deepEqual(found('engines/cassandra/pom.xml', pom), [cassandra]);
  assert.deepEqual(found('engines/cassandra/jars.sha256', / cassandra-all-(.+)\.jar$/gm), [cassandra]);
  assert.deepEqual(found('compose.yaml', / cassandra:(\d\S+)/g), [cassandra]);
});

test('the agent that Cassandra is run with is one of its jars', () => {
  const [agent] = found('engines/cassandra/run', /-javaagent:\$lib\/(\S+?)"/g);
  assert.ok(read('engines/cassandra/jars.sha256').includes(`  ${agent}\n`), agent);
});
