// Tokens: every algorithm that is allowed, and every way in which a token can be wrong.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { hasScope, TokenVerifier, unverifiedSubject } from './token.js';

const NOW_MS = 1_700_000_000_000;
const NOW_S = NOW_MS / 1000;
const SECRET = 'a-secret-of-at-least-thirty-two-bytes';
const GOOD = { sub: 'alice', exp: NOW_S + 60 };

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const hmac = (key: string | Buffer) => (text: string) => createHmac('sha256', key).update(text).digest();

function token(claims: unknown, header: unknown, signer: (text: string) => Buffer): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${signer(text).toString('base64url')}`;
}

const hs256 = (claims: unknown, header: Record<string, unknown> = {}, secret = SECRET): string =>
  token(claims, { alg: 'HS256', typ: 'JWT', ...header }, hmac(secret));

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const jwk = (key: KeyObject, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...key.export({ format: 'jwk' }),
  ...more,
});
const JWKS = [
  jwk(rsa.publicKey, { kid: 'r', alg: 'RS256', use: 'sig' }),
  jwk(ec.publicKey, { kid: 'e' }),
  jwk(ed.publicKey, { kid: 'd' }),
];
const SIGNERS: Readonly<Record<string, (text: string) => Buffer>> = {
  RS256: (text) => sign('sha256', Buffer.from(text), rsa.privateKey),
  ES256: (text) => sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (text) => sign(null, Buffer.from(text), ed.privateKey),
};

describe('shared secret', () => {
  const verifier = new TokenVerifier({ secret: SECRET });
  const good = (one: string) => assert.equal(verifier.verify(one, NOW_MS)?.investor, 'alice');
  const bad = (one: string, why?: string) => assert.equal(verifier.verify(one, NOW_MS), null, why ?? one);

  test('a good one tells investor, expiry and scopes', () => {
    const claims = verifier.verify(hs256({ ...GOOD, scope: 'a openbell:admin' }), NOW_MS);
    assert.deepEqual(claims, { investor: 'alice', exp: GOOD.exp, scope: 'a openbell:admin', alg: 'HS256' });
    assert.ok(hasScope(claims, 'openbell:admin'));
    assert.ok(!hasScope(claims, 'openbell'));
    for (const scope of [undefined, 7, ['openbell:admin']]) {
      assert.ok(!hasScope(verifier.verify(hs256({ ...GOOD, scope }), NOW_MS)!, 'openbell:admin'));
    }
  });

  test('secrets longer than a block, and not ASCII', () => {
    for (const secret of ['x'.repeat(65), 'x'.repeat(64), 'ä'.repeat(16), 'x'.repeat(300)]) {
      assert.ok(new TokenVerifier({ secret }).verify(hs256(GOOD, {}, secret), NOW_MS), secret);
      assert.equal(new TokenVerifier({ secret }).verify(hs256(GOOD), NOW_MS), null);
    }
    assert.throws(() => new TokenVerifier({ secret: 'short' }));
  });

  test('time: exp is needed and ends at its second, nbf begins at its own', () => {
    bad(hs256({ sub: 'alice' }), 'no exp');
    for (const exp of [NOW_S, NOW_S - 1, '9999999999', null, -1, true])
      bad(hs256({ sub: 'alice', exp }), `exp ${exp}`);
    good(hs256({ sub: 'alice', exp: NOW_S + 0.001 }));
    good(hs256({ ...GOOD, nbf: NOW_S }));
    for (const nbf of [NOW_S + 1, '0', null]) bad(hs256({ ...GOOD, nbf }), `nbf ${nbf}`);
    bad(token(`{"sub":"alice","exp":1e999}`, { alg: 'HS256' }, hmac(SECRET)), 'an endless exp');
  });

  test('sub: 1 to 128 bytes of visible ASCII', () => {
    assert.equal(verifier.verify(hs256({ ...GOOD, sub: '~'.repeat(128) }), NOW_MS)?.investor.length, 128);
    for (const sub of ['', 'a'.repeat(129), 'a b', 'a\n', 'ä', '\u007f', 5, null, ['alice'], undefined])
      bad(hs256({ ...GOOD, sub }), `sub ${sub}`);
  });

  test('algorithms: none, others, confusion of case', () => {
    for (const alg of ['none', 'None', 'HS384', 'HS512', 'hs256', 'RS256', '', null, undefined, ['HS256']])
      bad(hs256(GOOD, { alg }), `${alg}`);
    bad(`${part({ alg: 'none' })}.${part(GOOD)}.`);
    bad(hs256(GOOD, { crit: ['exp'] }), 'an extension that must be understood');
  });

  test('malformed in every way', () => {
    const whole = hs256(GOOD);
    const [header, payload, signature] = whole.split('.') as [string, string, string];
    for (const text of [
      '',
      '.',
      '..',
      '...',
      'abc',
      `${header}.${payload}`,
      `${whole}.`,
      `.${payload}.${signature}`,
      `${whole}.${signature}`,
      ` ${whole}`,
      `${whole}=`,
    ])
      bad(text);
    for (const claims of ['', 'null', '[]', '"alice"', '{', '{"sub":"alice"'])
      bad(token(claims, { alg: 'HS256' }, hmac(SECRET)), claims);
    bad(`${header}.${part({ ...GOOD, sub: 'bob' })}.${signature}`, 'other claims under the same signature');
    bad(hs256({ ...GOOD, pad: 'x'.repeat(5_000) }), 'longer than the bound');
    // The last of 43 characters has two spare bits: only the canonical one is taken.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const last of alphabet)
      if (last !== signature.at(-1)) bad(whole.slice(0, -1) + last, 'not canonical');
  });

  test('characters past ASCII never change what a signed token says', () => {
    const whole = hs256(GOOD);
    for (let at = 0; at < whole.length; at++) {
      const other = String.fromCharCode(whole.charCodeAt(at) + 0x100);
      const claims = verifier.verify(whole.slice(0, at) + other + whole.slice(at + 1), NOW_MS);
      assert.ok(claims === null || claims.investor === 'alice', `character ${at}`);
    }
  });
});

describe('public keys', () => {
  const verifier = new TokenVerifier({ jwks: JWKS });

  for (const [alg, signer] of Object.entries(SIGNERS)) {
    test(`${alg}: good with its key, with and without kid; not with another's`, () => {
      const kid = { RS256: 'r', ES256: 'e', EdDSA: 'd' }[alg];
      assert.equal(verifier.verify(token(GOOD, { alg }, signer), NOW_MS)?.investor, 'alice');
      assert.equal(verifier.verify(token(GOOD, { alg, kid }, signer), NOW_MS)?.investor, 'alice');
      assert.equal(verifier.verify(token(GOOD, { alg, kid: 'x' }, signer), NOW_MS), null);
      for (const other of Object.keys(SIGNERS)) {
        if (other !== alg)
          assert.equal(verifier.verify(token(GOOD, { alg: other }, signer), NOW_MS), null, other);
      }
      const whole = token(GOOD, { alg }, signer);
      for (const wrong of ['', 'AA', 'A'.repeat(86), whole.split('.')[2]!.slice(0, -4)]) {
        assert.equal(verifier.verify(whole.slice(0, whole.lastIndexOf('.') + 1) + wrong, NOW_MS), null);
      }
    });
  }

  test('HS256 signed with what is public is nobody’s', () => {
    const pems = [rsa, ec, ed].map(({ publicKey }) =>
      publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    );
    for (const both of [verifier, new TokenVerifier({ jwks: JWKS, secret: SECRET })]) {
      for (const key of [...pems, ...JWKS.map((one) => JSON.stringify(one)), '']) {
        assert.equal(both.verify(token(GOOD, { alg: 'HS256' }, hmac(key)), NOW_MS), null);
      }
    }
  });

  test('a cached token is refused from the second it expires, and other claims are still checked', () => {
    const one = token(GOOD, { alg: 'EdDSA' }, SIGNERS['EdDSA']!);
    for (let i = 0; i < 3; i++) assert.ok(verifier.verify(one, NOW_MS));
    assert.ok(verifier.verify(one, NOW_MS + 59_999));
    assert.equal(verifier.verify(one, NOW_MS + 60_000), null);
    assert.ok(verifier.verify(one, NOW_MS), 'time has been set back: the signature is checked again');
  });

  test('keys that cannot sign are passed over', () => {
    const keys = [
      jwk(rsa.publicKey, { use: 'enc' }),
      jwk(rsa.publicKey, { alg: 'RS512' }),
      { kty: 'oct', k: 'AAAA' },
      { kty: 'EC', crv: 'P-256' },
      {},
    ];
    const none = new TokenVerifier({ jwks: keys });
    assert.equal(none.verify(token(GOOD, { alg: 'RS256' }, SIGNERS['RS256']!), NOW_MS), null);
  });
});

test('audience and issuer are checked when they are set', () => {
  const verifier = new TokenVerifier({ secret: SECRET, audience: 'openbell', issuer: 'bank' });
  const cases: readonly [Record<string, unknown>, boolean][] = [
    [{ aud: 'openbell', iss: 'bank' }, true],
    [{ aud: ['other', 'openbell'], iss: 'bank' }, true],
    [{ aud: 'other', iss: 'bank' }, false],
    [{ aud: ['other'], iss: 'bank' }, false],
    [{ aud: 'openbell-x', iss: 'bank' }, false],
    [{ iss: 'bank' }, false],
    [{ aud: 'openbell' }, false],
    [{ aud: 'openbell', iss: ['bank'] }, false],
  ];
  for (const [claims, good] of cases) {
    assert.equal(
      verifier.verify(hs256({ ...GOOD, ...claims }), NOW_MS) !== null,
      good,
      JSON.stringify(claims),
    );
  }
});

test('the unverified subject picks a queue and trusts nothing', () => {
  assert.equal(unverifiedSubject(hs256(GOOD, {}, 'whatever')), 'alice');
  for (const text of ['', 'a.b', 'a.b.c', '..', hs256({ sub: 'a b' }), hs256({}), 'x'.repeat(10_000)])
    assert.equal(unverifiedSubject(text), null);
});
