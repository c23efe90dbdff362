// The manifests of the peers: exact versions, locks that name no place to load from, each dependency with its reason.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PEERS_DIR } from './build-peers.js';

const read = (name: string): string => readFileSync(join(PEERS_DIR, name), 'utf8');
const reasons = read('../../docs/DEPENDENCIES.md').split('## What the peers')[1] ?? '';

function checkNamed(names: readonly string[]): void {
  assert.ok(names.length > 1);
  for (const name of names) assert.ok(reasons.includes(`\`${name}\``), `${name} has no reason`);
}

test('Node.js', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { version?: string; resolved?: string; hasInstallScript?: boolean }>;
  };
  for (const [name, version] of Object.entries(dependencies)) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(packages[`node_modules/${name}`]?.version, version, name);
  }
  const entries = Object.entries(packages);
  assert.ok(entries.every(([, { resolved }]) => resolved === undefined));
  const scripts = entries.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  assert.deepEqual(scripts, ['node_modules/better-sqlite3']);
  checkNamed(Object.keys(dependencies));
});

test('Go', () => {
  // What is indirect comes with these, and is as exact.
  const direct = [...read('go/go.mod').matchAll(/^\t(\S+) v\d\S*$/gm)].map((match) => match[1] as string);
  const sums = read('go/go.sum');
  for (const name of direct) assert.ok(sums.includes(`${name} v`), name);
  checkNamed(direct);
});

test('Rust', () => {
  const section = read('rust/Cargo.toml').split('[dependencies]\n')[1]?.split('\n[')[0] ?? '';
  const wanted = [...section.matchAll(/^([\w-]+) = .*?"([^"]+)"/gm)];
  const lock = read('rust/Cargo.lock');
  for (const [, name, version] of wanted) {
    assert.match(version as string, /^=\d+\.\d+\.\d+$/, name);
    assert.ok(lock.includes(`name = "${name}"\nversion = "${version?.slice(1)}"`), name);
  }
  checkNamed(wanted.map((match) => match[1] as string));
});
