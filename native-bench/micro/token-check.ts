// Micro suite: core/token.ts, from the bytes of a token in a slab to its claims.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { TokenVerifier, unverifiedSubject } from '../../src/core/token.js';
import { TokenReader } from '../../src/core/token-reader.js';
import { AT_MS, EXPIRES_AT_S, hs256Token, investor, SECRET, times } from './samples.js';
import type { Case, Suite, World } from './suite.js';

type PublicAlg = 'RS256' | 'ES256' | 'EdDSA';

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const MAKE_KEYS: Readonly<Record<PublicAlg, () => KeyPair>> = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

function encoded(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function publicKeyToken(alg: PublicAlg, privateKey: KeyObject, index: number): string {
  const claims = { sub: investor(index), exp: EXPIRES_AT_S, scope: 'invest', aud: 'openbell' };
  const signed = Buffer.from(`${encoded({ alg, typ: 'JWT' })}.${encoded(claims)}`);
  const key = { key: privateKey, dsaEncoding: 'ieee-p1363' as const };
  return `${signed}.${sign(alg === 'EdDSA' ? null : 'sha256', signed, key).toString('base64url')}`;
}

/** Tokens as a shard meets them: bytes of one slab, of which it makes a string each time. */
class TokenSlab {
  readonly #bytes: Buffer;
  readonly #ends: number[] = [];

  constructor(tokens: readonly string[]) {
    this.#bytes = Buffer.from(tokens.join(''), 'latin1');
    let end = 0;
    for (const token of tokens) {
      end += token.length;
      this.#ends.push(end);
    }
  }

  at(index: number): string {
    return this.#bytes.latin1Slice(this.#start(index), this.#ends[index]!);
  }

  /** Has the token checked where it lies. */
  read(index: number, reader: TokenReader): boolean {
    return reader.read(this.#bytes, this.#start(index), this.#ends[index]!, AT_MS);
  }

  #start(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }
}

function mustClaim(verifier: TokenVerifier, token: string): void {
  if (verifier.verify(token, AT_MS) === null) throw new Error('a good token was refused');
}

function hs256Cases(world: World): Case[] {
  const count = world.size(20_000, 200);
  const operations = world.size(500, 50);
  const slab = new TokenSlab(times(count, hs256Token));
  const options = { secret: SECRET, audience: 'openbell' };
  const reader = new TokenReader(options);
  const verifier = new TokenVerifier(options);
  let next = 0;
  const each = (use: (index: number) => void) => () => {
    for (let i = 0; i < operations; i++) {
      use(next);
      next = (next + 1) % count;
    }
    return undefined;
  };
  return [
    {
      name: 'HS256, every token another, in place (shard)',
      operations,
      run: each((index) => {
        if (!slab.read(index, reader)) throw new Error('a good token was refused');
      }),
    },
    {
      name: 'HS256, every token another, the long way',
      operations,
      run: each((index) => mustClaim(verifier, slab.at(index))),
    },
    {
      name: 'subject read unverified (front end)',
      operations,
      run: each((index) => {
        if (unverifiedSubject(slab.at(index)) === null) throw new Error('a token without a subject');
      }),
    },
  ];
}

function publicKeyCases(alg: PublicAlg, world: World): Case[] {
  const { publicKey, privateKey } = MAKE_KEYS[alg]();
  const jwks = [publicKey.export({ format: 'jwk' }) as Record<string, unknown>];
  const cold = world.size(32, 4);
  const cached = world.size(2_000, 40);
  const slab = new TokenSlab(times(cold, (index) => publicKeyToken(alg, privateKey, index)));
  let verifier = new TokenVerifier({ jwks });
  const verifyAll = (count: number) => {
    for (let i = 0; i < count; i++) mustClaim(verifier, slab.at(i % cold));
    return undefined;
  };
  const forget = () => {
    verifier = new TokenVerifier({ jwks });
  };
  return [
    { name: `${alg}, cold`, operations: cold, before: forget, run: () => verifyAll(cold) },
    { name: `${alg}, cached`, operations: cached, run: () => verifyAll(cached) },
  ];
}

export const TOKEN_CHECK: Suite = {
  name: 'token-check',
  about: 'One token of about 200 bytes (RS256: 500), from its bytes in a slab to its claims.',
  prepare: (world) => ({
    cases: [
      ...hs256Cases(world),
      ...publicKeyCases('RS256', world),
      ...publicKeyCases('ES256', world),
      ...publicKeyCases('EdDSA', world),
    ],
  }),
};
