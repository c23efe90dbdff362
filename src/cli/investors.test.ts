import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli, temporaryDirectory } from './run-cli.js';
import { type Answered, type Asked, type StubAdmin, stubAdmin } from './stub-admin.js';

const HEADER = 'investor,balance,currency,eligible';
const OK: Answered = { status: 200, body: { investors: 0 } };

const csv = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `investor-${i},${i},GBP,true`);
const linesOf = ({ body }: Asked): string[] => body.split('\n');

function envOf(dataDir: string, edge: StubAdmin, ledger: StubAdmin): Record<string, string> {
  return {
    OPENBELL_DATA_DIR: dataDir,
    OPENBELL_JWT_SECRET: 'a-secret-of-more-than-thirty-two-bytes',
    OPENBELL_ADMIN_URL: edge.url,
    OPENBELL_LEDGER_URL: ledger.url,
  };
}

test('good lines go to the ledger and to the edge, in chunks, in order', async (t) => {
  const directory = temporaryDirectory(t);
  const edge = await stubAdmin(t, () => OK);
  const ledger = await stubAdmin(t, () => OK);
  const file = join(directory, 'all.csv');
  const lines = csv(25_000);
  writeFileSync(file, [HEADER, ...lines, ''].join('\n'));
  const { code, stdout, stderr } = await runCli(
    ['investors', 'import', file],
    envOf(directory, edge, ledger),
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^25000 investors imported in [\d.]+ s\n$/);
  for (const [service, path] of [
    [ledger, '/admin/v1/accounts'],
    [edge, '/admin/v1/investors'],
  ] as const) {
    assert.deepEqual(
      service.asked.map(linesOf).map(({ length }) => length),
      [10_000, 10_000, 5_000],
    );
    assert.deepEqual(service.asked.flatMap(linesOf), lines);
    assert.ok(service.asked.every((asked) => asked.path === path && asked.contentType === 'text/csv'));
  }
  assert.deepEqual(readdirSync(join(directory, 'imports')), [], 'nothing is left to go on with');
});

test('bad lines are named by number and nothing is sent', async (t) => {
  const directory = temporaryDirectory(t);
  const edge = await stubAdmin(t, () => OK);
  const ledger = await stubAdmin(t, () => OK);
  const lines = csv(12_000);
  lines[5_432] = 'bad line';
  lines[11_000] = `${lines[0]}`;
  const file = join(directory, 'some-bad.csv');
  writeFileSync(file, lines.join('\r\n'));
  const env = envOf(directory, edge, ledger);
  const { code, stdout, stderr } = await runCli(['investors', 'import', file], env);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^line 5433: 1 fields where there must be 4/);
  assert.match(stderr, /\nline 11001: investor investor-0 is on an earlier line already\n/);
  assert.match(stderr, /\nopenbell: 2 bad lines: nothing is imported/);
  assert.equal(edge.asked.length + ledger.asked.length, 0);

  const skipped = await runCli(['investors', 'import', file, '--skip-bad', '--json'], env);
  assert.equal(skipped.code, 0, skipped.stderr);
  const report = JSON.parse(skipped.stdout) as Record<string, unknown>;
  assert.equal(report['imported'], 11_998);
  assert.equal(report['badLineCount'], 2);
  assert.equal(edge.asked.flatMap(linesOf).length, 11_998);
});

test('only the first bad lines are spelled out', async (t) => {
  const directory = temporaryDirectory(t);
  const edge = await stubAdmin(t, () => OK);
  const input = Array.from({ length: 50 }, () => 'nonsense').join('\n');
  const { code, stderr } = await runCli(['investors', 'import', '-'], envOf(directory, edge, edge), input);
  assert.equal(code, 1);
  assert.equal(stderr.match(/^line /gm)?.length, 20);
  assert.match(stderr, /… and 30 more\nopenbell: 50 bad lines/);
});

test('standard input, NDJSON, edge only', async (t) => {
  const directory = temporaryDirectory(t);
  const edge = await stubAdmin(t, () => OK);
  const ledger = await stubAdmin(t, () => OK);
  const lines = ['alice', 'bob'].map((investor) => {
    return JSON.stringify({ investor, balance: 150_000, currency: 'GBP', eligible: true });
  });
  const args = ['investors', 'import', '--edge-only', '-'];
  const { code, stderr } = await runCli(args, envOf(directory, edge, ledger), `${lines.join('\n')}\n\n`);
  assert.equal(code, 0, stderr);
  assert.equal(ledger.asked.length, 0);
  assert.deepEqual(
    edge.asked.map(({ contentType, body }) => [contentType, body]),
    [['application/x-ndjson', lines.join('\n')]],
  );
});

test('an import that was interrupted goes on after the last chunk that was acknowledged', async (t) => {
  const directory = temporaryDirectory(t);
  let isBroken = true;
  const edge = await stubAdmin(t, (_, count) => {
    return isBroken && count === 2
      ? { status: 500, body: { code: 'internal', detail: 'Something failed.' } }
      : OK;
  });
  const ledger = await stubAdmin(t, () => OK);
  const file = join(directory, 'all.csv');
  writeFileSync(file, csv(30_000).join('\n'));
  const env = envOf(directory, edge, ledger);
  const first = await runCli(['investors', 'import', file], env);
  assert.equal(first.code, 70);
  assert.match(first.stderr, /openbell: internal: Something failed\. \(lines up to 20000\)/);
  assert.equal(readdirSync(join(directory, 'imports')).length, 1);

  isBroken = false;
  edge.asked.length = 0;
  const second = await runCli(['investors', 'import', file], env);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stdout, /gone on after line 10000/);
  assert.deepEqual(
    edge.asked.map((asked) => linesOf(asked)[0]),
    ['investor-10000,10000,GBP,true', 'investor-20000,20000,GBP,true'],
  );
});

test('--restart begins again, and another file is another import', async (t) => {
  const directory = temporaryDirectory(t);
  let isBroken = true;
  const edge = await stubAdmin(t, (_, count) => {
    return isBroken && count === 2 ? { status: 400, body: { code: 'malformed-request', detail: 'No.' } } : OK;
  });
  const env = envOf(directory, edge, edge);
  const file = join(directory, 'all.csv');
  writeFileSync(file, csv(20_000).join('\n'));
  const args = ['investors', 'import', '--edge-only', file];
  assert.equal((await runCli(args, env)).code, 1);
  isBroken = false;
  const restarted = await runCli([...args, '--restart'], env);
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.doesNotMatch(restarted.stdout, /gone on/);
  assert.equal(edge.asked.slice(2).flatMap(linesOf).length, 20_000);
});

test('a service that is busy is asked again', async (t) => {
  const directory = temporaryDirectory(t);
  const busy: Answered = { status: 503, body: { code: 'overloaded', detail: 'Later.' } };
  const edge = await stubAdmin(t, (_, count) => (count === 1 ? busy : OK));
  const input = csv(3).join('\n');
  const { code, stderr } = await runCli(
    ['investors', 'import', '--edge-only', '-'],
    envOf(directory, edge, edge),
    input,
  );
  assert.equal(code, 0, stderr);
  assert.equal(edge.asked.length, 2);
});

test('an empty file and one that is not there are not imports', async (t) => {
  const directory = temporaryDirectory(t);
  const edge = await stubAdmin(t, () => OK);
  const env = envOf(directory, edge, edge);
  const empty = await runCli(['investors', 'import', '-'], env, `${HEADER}\n`);
  assert.equal(empty.code, 1);
  assert.match(empty.stderr, /there is no line in it; nothing is imported/);
  const absent = await runCli(['investors', 'import', join(directory, 'none.csv')], env);
  assert.equal(absent.code, 64);
  assert.equal(edge.asked.length, 0);
  assert.ok(!existsSync(join(directory, 'imports')));
});
