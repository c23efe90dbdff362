// `openbell rush` as a process, against a double of the node: exit codes, the report on stdout, the answers file.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand, temporaryDataDir } from '../../test/harness/node-process.js';
import { type StubOptions, startStubNode } from '../../test/harness/stub-node.js';

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly answers: string;
}

async function rush(stub: StubOptions, ...more: string[]): Promise<Ran> {
  const node = await startStubNode(stub);
  const { dataDir, remove } = await temporaryDataDir();
  const answersFile = join(dataDir, 'answers.ndjson');
  const urls = ['--url', node.url, '--admin-url', node.url, '--ledger-url', node.url];
  const load = ['--rate', '0', '--attempts', '300', '--investors', '200', '--connections', '8'];
  const ran = await runCommand(['rush', ...urls, ...load, '--answers', answersFile, ...more], { dataDir });
  const answers = await readFile(answersFile, 'utf8').catch(() => '');
  node.close();
  await remove();
  return { ...ran, answers };
}

test('a run against a node that keeps its promises exits 0 and reports every check', async () => {
  const { code, stdout, answers, stderr } = await rush({ cap: 500_000 }, '--json', '--duplicates', '5');
  assert.equal(code, 0, stderr);
  const report = JSON.parse(stdout) as { attempts: number; checks: { name: string; ok: boolean }[] };
  assert.equal(report.attempts, 300);
  assert.deepEqual(
    report.checks.map((check) => [check.name, check.ok]),
    ['I1', 'I2', 'I3', 'I4', 'I11', 'I12'].map((name) => [name, true]),
  );
  const lines = answers.trim().split('\n');
  assert.equal(lines.length, 300);
  const first = JSON.parse(lines[0] as string) as Record<string, unknown>;
  assert.deepEqual([first['attempt'], first['state'], first['code']], [0, 'answered', 'accepted']);
});

test('a broken promise exits 1 and is named in the text', async () => {
  const { code, stdout } = await rush({ cap: 500_000, fault: 'oversell' });
  assert.equal(code, 1);
  assert.match(stdout, /I1 +BROKEN/);
  assert.match(stdout, /FAILED$/m);
});

test('a wrong argument exits 64 and names itself, an absent round exits 1', async () => {
  const wrong = await rush({ cap: 1 }, '--curve', 'square');
  assert.equal(wrong.code, 64);
  assert.match(wrong.stderr, /--curve must be flat or bell, not square/);
  const absent = await rush({ cap: 1 }, '--round', 'nowhere');
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /there is no round nowhere/);
});
