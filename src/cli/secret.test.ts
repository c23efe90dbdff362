import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Config, loadConfig } from '../core/config.js';
import { temporaryDirectory } from './run-cli.js';
import { ensureSecret, signingSecret } from './secret.js';

function config(dataDir: string, env: Record<string, string> = {}): Config {
  const loaded = loadConfig({ env: { OPENBELL_DATA_DIR: dataDir, ...env }, cores: 2 });
  assert.ok(loaded.ok);
  return loaded.value;
}

test('a secret is made once, 32 bytes in hexadecimal, for the owner alone', (t) => {
  const dataDir = join(temporaryDirectory(t), 'new', 'data');
  const first = ensureSecret(config(dataDir), true);
  const second = ensureSecret(config(dataDir), true);
  assert.ok(first.ok && second.ok);
  assert.match(first.value.jwtSecret ?? '', /^[0-9a-f]{64}$/);
  assert.equal(second.value.jwtSecret, first.value.jwtSecret);
  const file = join(dataDir, 'jwt-secret');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(readFileSync(file, 'utf8').trim(), first.value.jwtSecret);
});

test('what is configured wins over the file, and a JWKS means that the file is not read', (t) => {
  const dataDir = temporaryDirectory(t);
  writeFileSync(join(dataDir, 'jwt-secret'), 'f'.repeat(64));
  const secret = 's'.repeat(40);
  const configured = ensureSecret(config(dataDir, { OPENBELL_JWT_SECRET: secret }), true);
  assert.ok(configured.ok);
  assert.equal(configured.value.jwtSecret, secret);
  const jwks = ensureSecret(config(dataDir, { OPENBELL_JWKS_FILE: 'jwks.json' }), true);
  assert.ok(jwks.ok);
  assert.equal(jwks.value.jwtSecret, undefined);
  assert.equal(signingSecret(config(dataDir, { OPENBELL_JWKS_FILE: 'jwks.json' })).ok, false);
});

test('a file that is too short, or not a file, is named', (t) => {
  const dataDir = temporaryDirectory(t);
  const file = join(dataDir, 'jwt-secret');
  writeFileSync(file, 'short\n');
  chmodSync(file, 0o600);
  const short = ensureSecret(config(dataDir), true);
  assert.ok(!short.ok && short.error.exitCode === 78 && short.error.message.includes(file));
  const absent = ensureSecret(config(join(dataDir, 'none')), false);
  assert.ok(!absent.ok && absent.error.exitCode === 78 && /openbell up/.test(absent.error.message));
});
