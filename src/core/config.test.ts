import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Config, describeConfig, loadConfig } from './config.js';
import { configConflicts } from './config-conflicts.js';

const SECRET = 'a-secret-of-more-than-thirty-two-bytes';

function load(env: Record<string, string>, yamlText?: string): Config {
  const loaded = loadConfig({ env, yamlText, yamlName: 'node.yaml', cores: 4 });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

function problems(env: Record<string, string>, yamlText?: string): string[] {
  const loaded = loadConfig({ env, yamlText, yamlName: 'node.yaml', cores: 4 });
  assert.ok(!loaded.ok, 'there must be a problem');
  return loaded.error.map(({ message }) => message);
}

test('the defaults are those of the contract', () => {
  const { sources, ...config } = load({});
  assert.deepEqual(config, {
    dataDir: './data',
    host: '0.0.0.0',
    port: 8080,
    adminHost: '127.0.0.1',
    adminPort: 8081,
    ledgerPort: 8082,
    jwtSecret: undefined,
    jwksFile: undefined,
    jwtAudience: undefined,
    jwtIssuer: undefined,
    investorRatePerS: 10,
    investorBurst: 20,
    workers: 3,
    ack: 'journal',
    nsqd: [],
    nsqlookupd: [],
    nsqdHttp: [],
    nsqTlsCa: undefined,
    nsqTlsCert: undefined,
    nsqTlsKey: undefined,
    nsqAuthSecret: undefined,
    etcd: [],
    cassandra: [],
    etcdTlsCa: undefined,
    etcdTlsCert: undefined,
    etcdTlsKey: undefined,
    etcdUsername: undefined,
    etcdPassword: undefined,
    leaseTtlS: 10,
    node: 'node',
    cluster: 'openbell',
    cassandraKeyspace: 'openbell',
    cassandraDatacenter: 'datacenter1',
    cassandraTlsCa: undefined,
    cassandraTlsCert: undefined,
    cassandraTlsKey: undefined,
    cassandraUsername: undefined,
    cassandraPassword: undefined,
    ledgerStore: 'lmdb',
    ledgerRatePerS: 60,
    origins: [],
    ledgerUrl: 'http://127.0.0.1:8082',
    adminUrl: 'http://127.0.0.1:8081',
    adminToken: undefined,
    logLevel: 'info',
    journalSegmentBytes: 67_108_864,
  });
  assert.deepEqual(new Set(Object.values(sources)), new Set(['default']));
});

test('one core still has one worker', () => {
  const loaded = loadConfig({ env: {}, cores: 1 });
  assert.ok(loaded.ok);
  assert.equal(loaded.value.workers, 1);
});

test('a configuration is frozen', () => {
  const config = load({ OPENBELL_ORIGINS: 'https://app.example.com' });
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.origins) && Object.isFrozen(config.sources));
});

test('a variable goes over the file, the file over the default', () => {
  const config = load({ OPENBELL_PORT: '9000' }, 'port: 9001\nadminPort: 9002\n');
  assert.equal(config.port, 9000);
  assert.equal(config.adminPort, 9002);
  assert.equal(config.ledgerPort, 8082);
  assert.deepEqual(
    [config.sources.port, config.sources.adminPort, config.sources.ledgerPort],
    ['env', 'file', 'default'],
  );
  assert.equal(config.adminUrl, 'http://127.0.0.1:9002', 'addresses follow the ports');
});

test('every setting is read from its variable', () => {
  const config = load({
    OPENBELL_DATA_DIR: '/var/lib/openbell',
    OPENBELL_HOST: '127.0.0.1',
    OPENBELL_ADMIN_HOST: '10.0.0.5',
    OPENBELL_JWT_SECRET: SECRET,
    OPENBELL_JWKS_FILE: '/etc/openbell/jwks.json',
    OPENBELL_JWT_AUDIENCE: 'openbell',
    OPENBELL_JWT_ISSUER: 'https://bank.example',
    OPENBELL_INVESTOR_RATE: '0',
    OPENBELL_INVESTOR_BURST: '7',
    OPENBELL_WORKERS: '2',
    OPENBELL_ACK: 'replicated',
    OPENBELL_NSQD: '10.0.0.1:4150, 10.0.0.2:4150',
    OPENBELL_NSQLOOKUPD: '10.0.0.3:4161',
    OPENBELL_NSQD_HTTP: 'http://10.0.0.1:4151/, https://10.0.0.2:4152',
    OPENBELL_NSQ_TLS_CA: '/etc/openbell/ca.pem',
    OPENBELL_NSQ_TLS_CERT: '/etc/openbell/cert.pem',
    OPENBELL_NSQ_TLS_KEY: '/etc/openbell/key.pem',
    OPENBELL_NSQ_AUTH_SECRET: 'open-sesame',
    OPENBELL_LEDGER_RATE: '5',
    OPENBELL_ORIGINS: 'https://app.example.com,http://localhost:5173',
    OPENBELL_LEDGER_URL: 'http://ledger.internal:8082/',
    OPENBELL_ADMIN_TOKEN: 'a.b.c',
    OPENBELL_LOG_LEVEL: 'warn',
    OPENBELL_JOURNAL_SEGMENT_BYTES: '1048576',
  });
  assert.equal(config.dataDir, '/var/lib/openbell');
  assert.equal(config.adminUrl, 'http://10.0.0.5:8081');
  assert.equal(config.ledgerUrl, 'http://ledger.internal:8082');
  assert.equal(config.investorRatePerS, 0);
  assert.equal(config.investorBurst, 7);
  assert.deepEqual(config.nsqd, ['10.0.0.1:4150', '10.0.0.2:4150']);
  assert.deepEqual(config.nsqlookupd, ['10.0.0.3:4161']);
  assert.deepEqual(config.nsqdHttp, ['http://10.0.0.1:4151', 'https://10.0.0.2:4152']);
  assert.deepEqual(
    [config.nsqTlsCa, config.nsqTlsCert, config.nsqTlsKey, config.nsqAuthSecret],
    ['/etc/openbell/ca.pem', '/etc/openbell/cert.pem', '/etc/openbell/key.pem', 'open-sesame'],
  );
  assert.deepEqual(
    configConflicts(config).map(({ name }) => name),
    ['OPENBELL_ACK'],
    'NSQ is part of this version',
  );
  assert.deepEqual(config.origins, ['https://app.example.com', 'http://localhost:5173']);
  assert.equal(config.journalSegmentBytes, 1_048_576);
});

test('an empty variable is as good as none, and an empty file as well', () => {
  assert.equal(load({ OPENBELL_PORT: '', OPENBELL_NSQD: '' }, '').port, 8080);
  assert.equal(load({ OPENBELL_PORT: '' }, 'port: 9001').port, 9001);
});

test('other variables of the environment are not ours', () => {
  assert.equal(load({ PATH: '/bin', openbell_port: '1' }).port, 8080);
});

test('a list in the file may be a list or one string', () => {
  assert.deepEqual(load({}, 'etcd: [a:2379, b:2379]').etcd, ['a:2379', 'b:2379']);
  assert.deepEqual(load({}, 'etcd: a:2379').etcd, ['a:2379']);
});

test('an unknown name names itself and the nearest one', () => {
  assert.deepEqual(problems({ OPENBELL_PROT: '1' }), [
    'OPENBELL_PROT is not a setting: did you mean OPENBELL_PORT?',
  ]);
  assert.deepEqual(problems({}, 'data_dir: x'), [
    'data_dir in node.yaml is not a setting: did you mean dataDir?',
  ]);
  assert.match(
    problems({ OPENBELL_FROBNICATE_ALL: '1' })[0]!,
    /OPENBELL_FROBNICATE_ALL is not a setting: "openbell/,
  );
});

test('a wrong value names its setting, itself and what it must be', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ OPENBELL_PORT: 'http' }, /^OPENBELL_PORT must be a port number from 0 to 65535, not "http"$/],
    [{ OPENBELL_PORT: '65536' }, /not 65536$/],
    [{ OPENBELL_PORT: '-1' }, /OPENBELL_PORT must be/],
    [{ OPENBELL_PORT: '80.5' }, /OPENBELL_PORT must be/],
    [{ OPENBELL_WORKERS: '0' }, /OPENBELL_WORKERS must be a whole number from 1/],
    [{ OPENBELL_ACK: 'sometimes' }, /OPENBELL_ACK must be "journal" or "replicated", not "sometimes"/],
    [{ OPENBELL_LEDGER_URL: 'localhost:8082' }, /OPENBELL_LEDGER_URL must be a base URL/],
    [{ OPENBELL_LEDGER_URL: 'http://me:secret@bank' }, /OPENBELL_LEDGER_URL must be a base URL/],
    [{ OPENBELL_ORIGINS: 'https://app.example.com/path' }, /OPENBELL_ORIGINS must be browser origins/],
    [{ OPENBELL_NSQD: 'localhost' }, /OPENBELL_NSQD must be at most/],
    [
      { OPENBELL_JOURNAL_SEGMENT_BYTES: '1000000' },
      /OPENBELL_JOURNAL_SEGMENT_BYTES must be a multiple of 4096/,
    ],
    [{ OPENBELL_LOG_LEVEL: 'loud' }, /OPENBELL_LOG_LEVEL must be "trace"/],
  ];
  for (const [env, expected] of cases) assert.match(problems(env)[0]!, expected);
  assert.match(problems({}, 'port: "8080"')[0]!, /^port in node.yaml must be a port number .* not "8080"$/);
});

test('a secret that is too short is refused without being shown', () => {
  const [message] = problems({ OPENBELL_JWT_SECRET: 'hunter2' });
  assert.match(message!, /OPENBELL_JWT_SECRET must be at least 32 bytes/);
  assert.ok(!message!.includes('hunter2'));
  assert.equal(
    load({ OPENBELL_JWT_SECRET: 'é'.repeat(16) }).jwtSecret,
    'é'.repeat(16),
    'bytes, not characters',
  );
});

test('all problems are told at once', () => {
  assert.equal(problems({ OPENBELL_PORT: 'x', OPENBELL_ACK: 'y', OPENBELL_Z: 'z' }, 'wrkers: 2').length, 4);
});

test('a file that is not YAML, not a mapping, or names a key twice is a problem that names the file', () => {
  assert.match(problems({}, 'port: [')[0]!, /^node.yaml is not valid YAML: /);
  assert.match(problems({}, '- 1')[0]!, /^node.yaml must be a YAML mapping/);
  assert.match(problems({}, 'port: 1\nport: 2')[0]!, /node.yaml is not valid YAML/);
});

test('a description hides secrets and says where each value came from', () => {
  const lines = describeConfig(
    load(
      { OPENBELL_JWT_SECRET: SECRET, OPENBELL_ADMIN_TOKEN: 'a.b.c', OPENBELL_NSQ_AUTH_SECRET: SECRET },
      'workers: 2',
    ),
  );
  const byKey = new Map(lines.map((line) => [line.key, line]));
  assert.deepEqual(byKey.get('jwtSecret'), {
    key: 'jwtSecret',
    variable: 'OPENBELL_JWT_SECRET',
    value: '(hidden)',
    source: 'env',
  });
  assert.equal(byKey.get('adminToken')?.value, '(hidden)');
  assert.equal(byKey.get('workers')?.source, 'file');
  assert.equal(byKey.get('jwksFile')?.value, null);
  assert.ok(!JSON.stringify(lines).includes(SECRET));
});

test('the node is named after its machine, as far as the name can be one', () => {
  const named = (hostName: string): string => {
    const loaded = loadConfig({ env: {}, cores: 1, hostName });
    assert.ok(loaded.ok);
    return loaded.value.node;
  };
  assert.equal(named('edge-1.example'), 'edge-1.example');
  assert.equal(named('höst name'), 'h-st-name');
  assert.equal(named('x'.repeat(80)), 'x'.repeat(64));
  assert.equal(load({ OPENBELL_NODE: 'a', OPENBELL_CLUSTER: 'test-2' }).node, 'a');
});

test('settings that need one another, one problem each', () => {
  const names = configConflicts(load({ OPENBELL_ACK: 'replicated' }));
  assert.deepEqual(
    names.map(({ name }) => name),
    ['OPENBELL_ACK'],
  );
  assert.deepEqual(
    configConflicts(load({ OPENBELL_LEDGER_STORE: 'cassandra' })).map(({ name }) => name),
    ['OPENBELL_LEDGER_STORE'],
  );
  assert.deepEqual(configConflicts(load({})), []);
  const cassandra = { OPENBELL_CASSANDRA: 'a:9042' };
  assert.deepEqual(configConflicts(load({ ...cassandra, OPENBELL_ACK: 'replicated' })), []);
  const halves = { OPENBELL_CASSANDRA_TLS_CERT: 'c.pem', OPENBELL_CASSANDRA_PASSWORD: 'secret' };
  assert.deepEqual(
    configConflicts(load({ ...cassandra, ...halves })).map(({ message }) => message),
    [
      'OPENBELL_CASSANDRA_TLS_CERT is set without OPENBELL_CASSANDRA_TLS_KEY: set both or none',
      'OPENBELL_CASSANDRA_PASSWORD is set without OPENBELL_CASSANDRA_USERNAME: set both or none',
    ],
  );
});
