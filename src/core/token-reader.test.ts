// The quick way of reading a token and the complete one give the same answer, whatever the token.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64url } from './base64url.js';
import { type TokenOptions, TokenVerifier } from './token.js';
import { TokenReader } from './token-reader.js';

const NOW_MS = 1_700_000_000_000;
const NOW_S = NOW_MS / 1000;
const SECRET = 'a-secret-of-at-least-thirty-two-bytes';

const part = (text: string): string => Buffer.from(text).toString('base64url');

function signed(header: string, claims: string, secret = SECRET): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** What each of the two says of a token that lies in the middle of a slab: investor and expiry, or null. */
function both(options: TokenOptions) {
  const reader = new TokenReader(options);
  const verifier = new TokenVerifier(options);
  const read = (token: string) => {
    const slab = Buffer.from(`xx${token}yy`, 'latin1');
    if (!reader.read(slab, 2, 2 + token.length, NOW_MS)) return null;
    return { investor: reader.investor.text(), exp: reader.expiresAtS };
  };
  const verify = (token: string) => {
    const claims = verifier.verify(token, NOW_MS);
    return claims === null ? null : { investor: claims.investor, exp: claims.exp };
  };
  const agree = (token: string): void => assert.deepEqual(read(token), verify(token), token);
  return { read, agree };
}

const HEADER = '{"alg":"HS256","typ":"JWT"}';
const GOOD = `{"sub":"alice","exp":${NOW_S + 60}}`;

const claimsText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"sub":"alice"',
        '"sub":"a\\u0062"',
        '"sub":"q\\"uote"',
        '"sub":7',
        '"sub":["alice"]',
        '"sub":"a b"',
        '"sub":""',
        '"aud":"openbell"',
        '"aud":["other","openbell"]',
        '"aud":"other"',
        '"iss":"bank"',
        '"iss":null',
        '"name":"Zoë"',
        '"nested":{"sub":"bob"}',
        '"flag":true',
        '"none":null',
        '"iat":1700000000',
        '"scope":"invest"',
      ),
      fc.constantFrom(-1, 0, 1, 0.5, 60, 1e9).map((s) => `"exp":${NOW_S + s}`),
      fc.constantFrom(-60, 0, 1, 60).map((s) => `"nbf":${NOW_S + s}`),
      fc.constantFrom(
        '"exp":"1"',
        '"exp":1e12',
        '"exp":-5',
        '"exp":01',
        '"nbf":null',
        '"exp":99999999999999999999',
      ),
    ),
    { maxLength: 7 },
  )
  .map((members) => `{${members.join(',')}}`);

test('for any claims, headers and signatures both say the same', () => {
  const options = [{ secret: SECRET }, { secret: SECRET, audience: 'openbell', issuer: 'bank' }];
  const checks = options.map(both);
  const header = fc.constantFrom(
    HEADER,
    '{"alg":"HS256"}',
    '{"alg":"none"}',
    '{"alg":"HS256","crit":["x"]}',
    '{}',
  );
  fc.assert(
    fc.property(header, claimsText, fc.boolean(), (head, claims, isOurs) => {
      const token = signed(head, claims, isOurs ? SECRET : `${SECRET}-not`);
      for (const { agree } of checks) agree(token);
    }),
    { numRuns: 2_000 },
  );
});

test('a token that was changed anywhere is refused, also right after a good one', () => {
  const { read, agree } = both({ secret: SECRET });
  const token = signed(HEADER, GOOD);
  assert.deepEqual(read(token), { investor: 'alice', exp: NOW_S + 60 });
  for (let at = 0; at < token.length; at++) {
    for (const char of ['A', '.', '-', '=', '+', ' ', '\u00ff']) {
      if (token[at] === char) continue;
      const changed = token.slice(0, at) + char + token.slice(at + 1);
      assert.equal(read(changed), null, changed);
      agree(changed);
    }
  }
  for (const changed of [
    `${token}A`,
    token.slice(0, -1),
    `${token}.`,
    `.${token}`,
    '',
    '.',
    '..',
    'x'.repeat(5_000),
  ])
    assert.equal(read(changed), null, changed);
  assert.deepEqual(read(token), { investor: 'alice', exp: NOW_S + 60 });
});

test('tokens of public keys and of the secret take turns', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { read, agree } = both({ secret: SECRET, jwks: [{ ...publicKey.export({ format: 'jwk' }) }] });
  const text = `${part('{"alg":"EdDSA"}')}.${part('{"sub":"eve","exp":1700000060}')}`;
  const token = `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
  for (const one of [
    token,
    signed(HEADER, GOOD),
    token,
    signed('{"alg":"HS256"}', GOOD),
    signed(HEADER, GOOD),
  ]) {
    assert.notEqual(read(one), null);
    agree(one);
  }
});

test('base64url is decoded strictly', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = Buffer.from(Buffer.from(bytes).toString('base64url'), 'latin1');
      const to = Buffer.alloc(128);
      assert.equal(decodeBase64url(text, 0, text.length, to), bytes.length);
      assert.deepEqual(Uint8Array.from(to.subarray(0, bytes.length)), bytes);
    }),
  );
  for (const bad of ['A', 'AAAAA', 'A=', 'AA==', 'AB', 'AAB', 'A+', 'A/', 'A.', 'A\u00e9', 'AAA ']) {
    const bytes = Buffer.from(bad, 'latin1');
    assert.equal(decodeBase64url(bytes, 0, bytes.length, Buffer.alloc(16)), -1, bad);
  }
});
