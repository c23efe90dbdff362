import assert from 'node:assert/strict';
import { accessSync, constants, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli, temporaryDirectory } from './run-cli.js';
import { stubAdmin } from './stub-admin.js';

const SECRET = 'a-secret-of-more-than-thirty-two-bytes';
/** A port of the reserved range, on which nobody listens. */
const NOBODY = 'http://127.0.0.1:1';

const COMMANDS = [
  ['up'],
  ['edge'],
  ['ledger'],
  ['round', 'create'],
  ['round', 'list'],
  ['round', 'show'],
  ['round', 'open'],
  ['round', 'pause'],
  ['round', 'resume'],
  ['round', 'close'],
  ['round', 'amend'],
  ['investors', 'import'],
  ['token'],
  ['rush'],
  ['audit'],
  ['replay'],
  ['migrate'],
  ['config'],
  ['doctor'],
];

test('the built command can be run by its name, as npx runs it', () => {
  accessSync(new URL('./main.js', import.meta.url), constants.X_OK);
});

test('every command has a help text on stdout, exit 0', { concurrency: 2 }, async (t) => {
  for (const command of [[], ['round'], ['investors'], ['journal'], ...COMMANDS]) {
    await t.test(command.join(' '), async () => {
      const { code, stdout, stderr } = await runCli([...command, '--help'], {});
      assert.equal(code, 0, stderr);
      assert.match(stdout, /usage: openbell/);
      assert.equal(stderr, '');
    });
  }
});

test('--version prints the version of package.json', async () => {
  const { code, stdout } = await runCli(['--version'], {});
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('wrong usage: one line on stderr, nothing on stdout, exit 64', { concurrency: 2 }, async (t) => {
  const cases: [string[], RegExp][] = [
    [[], /a command is needed/],
    [['tokn'], /unknown command tokn; did you mean token\?/],
    [['constructor'], /unknown command constructor/],
    [['--frobnicate'], /unknown option --frobnicate/],
    [['token'], /token needs --investor ID/],
    [['token', '--investor'], /--investor/],
    [['token', '--investor', 'has space'], /visible ASCII/],
    [['token', '--investor', 'a', '--ttl', '1y'], /--ttl must be like/],
    [['token', '--investor', 'a', '--amdin'], /unknown option --amdin; did you mean --admin\?/],
    [['round'], /round needs one of create/],
    [['round', 'opne'], /unknown round command opne; did you mean open\?/],
    [['round', 'open'], /round open needs ROUND/],
    [['round', 'open', 'a', 'b'], /unexpected argument b/],
    [['round', 'open', 'NO!'], /ROUND must be 1 to 40 characters/],
    [['round', 'create', 'a'], /needs --cap/],
    [['round', 'create', 'a', '--cap', '2e9'], /--cap must be a whole number of minor units/],
    [['round', 'create', 'a', '--cap', '20.00'], /--cap must be a whole number of minor units/],
    [['round', 'create', 'a', '--cap', '9007199254740992'], /--cap must be/],
    [['round', 'create', 'a', '--cap', '5', '--opens-at', 'noon'], /--opens-at must be a time/],
    [['round', 'amend', 'a'], /nothing to amend/],
    [['investors'], /investors needs the word import/],
    [['investors', 'import'], /needs FILE\|-/],
    [['audit', 'now'], /unexpected argument now/],
  ];
  for (const [args, expected] of cases) {
    await t.test(args.join(' '), async () => {
      const { code, stdout, stderr } = await runCli(args, { OPENBELL_JWT_SECRET: SECRET });
      assert.equal(code, 64, stderr);
      assert.match(stderr, expected);
      assert.match(stderr, /^openbell: [^\n]*\n$/);
      assert.equal(stdout, '');
    });
  }
});

test('wrong configuration: one line that names it, exit 78', { concurrency: 2 }, async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'node.yaml');
  writeFileSync(file, 'prot: 1\n');
  const cases: [string[], Record<string, string>, RegExp][] = [
    [['config'], { OPENBELL_PROT: '1' }, /OPENBELL_PROT is not a setting: did you mean OPENBELL_PORT\?/],
    [['config', '--config', file], {}, /prot in .*node\.yaml is not a setting: did you mean port\?/],
    [['config', '--config', join(directory, 'none.yaml')], {}, /cannot be read: ENOENT/],
    [['ledger'], { OPENBELL_ACK: 'replicated' }, /OPENBELL_ACK=replicated needs OPENBELL_CASSANDRA/],
    [
      ['edge'],
      { OPENBELL_JWT_SECRET: SECRET, OPENBELL_NSQD: 'a:4150', OPENBELL_NSQ_TLS_CERT: file },
      /OPENBELL_NSQ_TLS_CERT and OPENBELL_NSQ_TLS_KEY go together/,
    ],
    [
      ['ledger'],
      { OPENBELL_JWT_SECRET: SECRET, OPENBELL_NSQLOOKUPD: 'a:4161', OPENBELL_NSQ_TLS_CA: file },
      /OPENBELL_NSQ_TLS_CA .* is not a PEM file/,
    ],
    [['edge'], {}, /nothing to check tokens with: set OPENBELL_JWT_SECRET/],
    [['audit'], {}, /nothing to check tokens with/],
    [['round', 'list', '--admin-url', '127.0.0.1:8081'], {}, /OPENBELL_ADMIN_URL must be a base URL/],
    [
      ['ledger'],
      { OPENBELL_JWKS_FILE: join(directory, 'none.json') },
      /OPENBELL_JWKS_FILE .* cannot be read: ENOENT/,
    ],
  ];
  for (const [args, env, expected] of cases) {
    await t.test(`${args.join(' ')} ${Object.keys(env)}`, async () => {
      const { code, stdout, stderr } = await runCli(args, { OPENBELL_DATA_DIR: directory, ...env });
      assert.equal(code, 78, stderr);
      assert.match(stderr, expected);
      assert.match(stderr, /^openbell: [^\n]*\n$/);
      assert.equal(stdout, '');
    });
  }
});

test('a service that is not there: one line with its address and what to start, exit 69', async () => {
  for (const args of [['round', 'list'], ['audit'], ['replay', '--dry-run']]) {
    const { code, stdout, stderr } = await runCli(args, {
      OPENBELL_JWT_SECRET: SECRET,
      OPENBELL_ADMIN_URL: NOBODY,
    });
    assert.equal(code, 69);
    assert.match(
      stderr,
      /^openbell: the edge does not answer at http:\/\/127\.0\.0\.1:1 .*openbell up[^\n]*\n$/,
    );
    assert.equal(stdout, '');
  }
});

test('a refusal is one line with its code: exit 1 for a conflict, 75 for 503', async (t) => {
  const statuses = new Map([
    ['/admin/v1/rounds/a/open', 409],
    ['/admin/v1/rounds/b/open', 503],
    ['/admin/v1/rounds/c/open', 500],
  ]);
  const edge = await stubAdmin(t, ({ path }) => {
    return {
      status: statuses.get(path) ?? 404,
      body: { code: 'wrong-state', detail: 'It is not scheduled.' },
    };
  });
  const env = { OPENBELL_JWT_SECRET: SECRET, OPENBELL_ADMIN_URL: edge.url };
  for (const [round, expected] of [
    ['a', 1],
    ['b', 75],
    ['c', 70],
  ] as const) {
    const { code, stderr } = await runCli(['round', 'open', round], env);
    assert.equal(code, expected);
    assert.equal(stderr, 'openbell: wrong-state: It is not scheduled.\n');
  }
});

test('round create sends the whole definition with an admin token', async (t) => {
  const edge = await stubAdmin(t, () => ({ status: 201, body: { id: 'crowd', state: 'scheduled' } }));
  const args = [
    'round',
    'create',
    'crowd',
    '--cap',
    '2000000000',
    '--minimum',
    '1000',
    '--admin-url',
    edge.url,
  ];
  const { code, stdout, stderr } = await runCli([...args, '--json'], { OPENBELL_JWT_SECRET: SECRET });
  assert.equal(code, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), { id: 'crowd', state: 'scheduled' });
  const [asked] = edge.asked;
  assert.equal(`${asked?.method} ${asked?.path}`, 'POST /admin/v1/rounds');
  assert.match(asked?.authorization ?? '', /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  assert.deepEqual(JSON.parse(asked?.body ?? ''), {
    id: 'crowd',
    name: 'crowd',
    currency: 'GBP',
    cap: 2_000_000_000,
    minimum: 1_000,
    maximum: 2_000_000_000,
    opensAt: null,
    closesAt: null,
    unknownBalance: 'refuse',
  });
});

test('audit exits 1 when anything differs, and prints what', async (t) => {
  const difference = {
    kind: 'outcome-missing',
    investment: 'abc-1',
    detail: 'settled, but the edge does not know',
  };
  const report = {
    ok: false,
    checks: [{ name: 'ledger', ok: false, detail: '1 settled, 0 known' }],
    differences: [difference],
    differenceCount: 1,
    totals: { rounds: [], accepted: 1, settled: 0, declined: 0, waiting: 1, inTransit: 0 },
  };
  const edge = await stubAdmin(t, () => ({ status: 200, body: report }));
  const env = { OPENBELL_JWT_SECRET: SECRET, OPENBELL_ADMIN_URL: edge.url };
  const readable = await runCli(['audit'], env);
  assert.equal(readable.code, 1);
  assert.match(readable.stdout, /FAIL {2}ledger {2}1 settled, 0 known\nDIFF {2}outcome-missing {2}abc-1/);
  const json = await runCli(['audit', '--json'], env);
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.stdout).differences, [difference]);
});

test('config prints every setting with its source, and no secret', async () => {
  const { code, stdout } = await runCli(['config', '--json'], {
    OPENBELL_JWT_SECRET: SECRET,
    OPENBELL_PORT: '9000',
  });
  assert.equal(code, 0);
  const config = JSON.parse(stdout) as Record<string, { value: unknown; source: string }>;
  assert.deepEqual(config['port'], { value: 9000, source: 'env', variable: 'OPENBELL_PORT' });
  assert.equal(config['jwtSecret']?.value, '(hidden)');
  assert.ok(!stdout.includes(SECRET));
});

test('doctor finds a readable secret, and says what to do', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'jwt-secret'), `${'0'.repeat(64)}\n`, { mode: 0o644 });
  const { code, stdout } = await runCli(['doctor', '--json'], { OPENBELL_DATA_DIR: directory });
  const report = JSON.parse(stdout) as { findings: { name: string; level: string; fix?: string }[] };
  const byName = new Map(report.findings.map((finding) => [finding.name, finding]));
  assert.equal(code, 1);
  assert.equal(byName.get('tokens')?.level, 'fail');
  assert.match(byName.get('tokens')?.fix ?? '', /^chmod 600 /);
  for (const name of ['node', 'uWebSockets.js', 'lmdb', 'config', 'data directory', 'fdatasync']) {
    assert.notEqual(byName.get(name)?.level, 'fail', name);
  }
});
