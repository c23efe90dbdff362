import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jwtVerify } from 'jose';
import { runCli, temporaryDirectory } from './run-cli.js';
import { parseTtl } from './token.js';

const SECRET = 'a-secret-of-more-than-thirty-two-bytes';
const KEY = new TextEncoder().encode(SECRET);

test('a token is HS256 over the claims, with exp, and another library agrees', async () => {
  const { code, stdout } = await runCli(['token', '--investor', 'alice', '--ttl', '15m'], {
    OPENBELL_JWT_SECRET: SECRET,
  });
  assert.equal(code, 0);
  const { payload, protectedHeader } = await jwtVerify(stdout.trim(), KEY, { algorithms: ['HS256'] });
  assert.equal(protectedHeader.alg, 'HS256');
  assert.equal(payload.sub, 'alice');
  assert.equal(payload['scope'], undefined);
  const lifeS = (payload.exp ?? 0) - Date.now() / 1000;
  assert.ok(lifeS > 890 && lifeS <= 900, `${lifeS}`);
});

test('an admin token carries the scope, the audience and the issuer that are configured', async () => {
  const env = { OPENBELL_JWT_SECRET: SECRET, OPENBELL_JWT_AUDIENCE: 'openbell', OPENBELL_JWT_ISSUER: 'bank' };
  const { stdout } = await runCli(['token', '--investor', 'ops', '--admin', '--json'], env);
  const { token, investor, expiresAt } = JSON.parse(stdout) as Record<string, string>;
  const { payload } = await jwtVerify(token!, KEY, {
    audience: 'openbell',
    issuer: 'bank',
    requiredClaims: ['exp'],
  });
  assert.equal(payload['scope'], 'openbell:admin');
  assert.equal(investor, 'ops');
  assert.equal(Date.parse(expiresAt!), payload.exp! * 1000);
});

test('without a secret, and where tokens come from elsewhere, nothing is signed', async (t) => {
  const env = { OPENBELL_DATA_DIR: temporaryDirectory(t) };
  const none = await runCli(['token', '--investor', 'alice'], env);
  assert.equal(none.code, 78);
  assert.match(none.stderr, /set OPENBELL_JWT_SECRET/);
  const elsewhere = await runCli(['token', '--investor', 'alice'], {
    ...env,
    OPENBELL_JWKS_FILE: 'keys.json',
  });
  assert.equal(elsewhere.code, 78);
  assert.match(elsewhere.stderr, /OPENBELL_JWKS_FILE/);
});

test('a time to live is a whole number of seconds, minutes, hours or days, up to a year', () => {
  assert.deepEqual(['90s', '15m', '1h', '7d', '366d'].map(parseTtl), [90, 900, 3_600, 604_800, 31_622_400]);
  assert.deepEqual(
    ['', '0s', '1', '1.5h', '-1h', '1w', '367d', '999999999d'].map(parseTtl),
    Array(8).fill(null),
  );
});
