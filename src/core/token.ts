// Bearer tokens (RFC 6750, 7519): who is asking, and with which scopes. Signatures by shared secret or by JWKS.

import { createHash, createPublicKey, hash, type KeyObject, verify as verifySignature } from 'node:crypto';
import { assert } from './assert.js';
import { isInvestorId } from './investor.js';
import { TOKEN_BYTES_MAX, TOKENS_CACHED_MAX } from './limits.js';

export interface TokenOptions {
  /** HS256 secret, at least 32 bytes of UTF-8. */
  readonly secret?: string | undefined;
  /** The `keys` of a JWKS (RFC 7517). */
  readonly jwks?: readonly Record<string, unknown>[] | undefined;
  readonly audience?: string | undefined;
  readonly issuer?: string | undefined;
}

export interface TokenClaims {
  /** `sub`: the investor. */
  readonly investor: string;
  /** Seconds since the epoch. */
  readonly exp: number;
  readonly scope: string;
}

interface PublicKey {
  readonly kid: string | undefined;
  readonly alg: 'RS256' | 'ES256' | 'EdDSA';
  readonly key: KeyObject;
}

interface Header {
  readonly alg: string;
  readonly kid: string | undefined;
}

const SHA256_BLOCK_BYTES = 64;
const HS256_SIGNATURE_CHARS = 43;
const HEADERS_CACHED_MAX = 64;

/**
 * Checks tokens. HS256 is HMAC (RFC 2104) as two one-shot hashes over a precomputed pad, the cheapest form that
 * node:crypto offers for short messages; it costs what a cache look-up by hash would, so only public-key results
 * are cached, by SHA-256 of the token, until they expire.
 */
export class TokenVerifier {
  readonly #audience: string | undefined;
  readonly #issuer: string | undefined;
  readonly #publicKeys: readonly PublicKey[];
  readonly #cache = new Map<string, TokenClaims>();
  readonly #headers = new Map<string, Header | null>();
  /** Inner pad, then room for the signed part. */
  readonly #inner: Buffer | undefined;
  /** Outer pad, then the inner digest. */
  readonly #outer: Buffer | undefined;

  constructor(options: TokenOptions) {
    this.#audience = options.audience;
    this.#issuer = options.issuer;
    this.#publicKeys = (options.jwks ?? []).flatMap(readPublicKey);
    if (options.secret !== undefined) {
      const key = Buffer.from(options.secret, 'utf8');
      assert(key.length >= 32, 'the token secret must have at least 32 bytes');
      const block = key.length > SHA256_BLOCK_BYTES ? createHash('sha256').update(key).digest() : key;
      this.#inner = Buffer.alloc(SHA256_BLOCK_BYTES + TOKEN_BYTES_MAX, 0);
      this.#outer = Buffer.alloc(SHA256_BLOCK_BYTES + 32, 0);
      for (let i = 0; i < SHA256_BLOCK_BYTES; i++) {
        const byte = block[i] ?? 0;
        this.#inner[i] = byte ^ 0x36;
        this.#outer[i] = byte ^ 0x5c;
      }
    }
  }

  /**
   * The claims of a valid token, or null: malformed, wrong or disallowed `alg`, wrong key, expired or without
   * `exp`, not yet valid, wrong audience or issuer, `sub` missing or out of bounds. No clock leeway.
   * @param token the compact form, without the scheme
   * @param nowMs milliseconds since the epoch
   */
  verify(token: string, nowMs: number): TokenClaims | null {
    if (token.length > TOKEN_BYTES_MAX) return null;
    const first = token.indexOf('.');
    const second = token.indexOf('.', first + 1);
    if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) return null;
    const header = this.#header(token.slice(0, first));
    if (header === null) return null;
    if (header.alg === 'HS256') {
      if (!this.#signedBySecret(token, second)) return null;
      return this.#claims(token.slice(first + 1, second), nowMs);
    }
    if (this.#publicKeys.length === 0) return null;
    return this.#verifyPublic(token, header, first, second, nowMs);
  }

  #header(encoded: string): Header | null {
    const cached = this.#headers.get(encoded);
    if (cached !== undefined) return cached;
    const header = readHeader(encoded);
    if (this.#headers.size >= HEADERS_CACHED_MAX) this.#headers.clear();
    this.#headers.set(encoded, header);
    return header;
  }

  #signedBySecret(token: string, signedChars: number): boolean {
    const inner = this.#inner;
    const outer = this.#outer;
    if (inner === undefined || outer === undefined) return false;
    if (token.length - signedChars - 1 !== HS256_SIGNATURE_CHARS) return false;
    inner.write(token, SHA256_BLOCK_BYTES, signedChars, 'latin1');
    const digest = hash('sha256', inner.subarray(0, SHA256_BLOCK_BYTES + signedChars), 'hex');
    outer.write(digest, SHA256_BLOCK_BYTES, 'hex');
    const expected = hash('sha256', outer, 'base64url');
    // Every character is compared, so the time tells nothing about where they differ.
    let difference = 0;
    for (let i = 0; i < HS256_SIGNATURE_CHARS; i++) {
      difference |= expected.charCodeAt(i) ^ token.charCodeAt(signedChars + 1 + i);
    }
    return difference === 0;
  }

  #verifyPublic(
    token: string,
    header: Header,
    first: number,
    second: number,
    nowMs: number,
  ): TokenClaims | null {
    const digest = hash('sha256', token, 'base64');
    const cached = this.#cache.get(digest);
    if (cached !== undefined) {
      if (cached.exp * 1000 > nowMs) return cached;
      this.#cache.delete(digest);
      return null;
    }
    const signed = Buffer.from(token.slice(0, second), 'latin1');
    const signature = Buffer.from(token.slice(second + 1), 'base64url');
    const good = this.#publicKeys.some(
      (candidate) =>
        candidate.alg === header.alg &&
        (header.kid === undefined || candidate.kid === undefined || candidate.kid === header.kid) &&
        verifyWith(candidate, signed, signature),
    );
    if (!good) return null;
    const claims = this.#claims(token.slice(first + 1, second), nowMs);
    if (claims === null) return null;
    if (this.#cache.size >= TOKENS_CACHED_MAX) {
      const oldest = this.#cache.keys().next();
      if (!oldest.done) this.#cache.delete(oldest.value);
    }
    this.#cache.set(digest, claims);
    return claims;
  }

  #claims(encoded: string, nowMs: number): TokenClaims | null {
    const payload = parseObject(encoded);
    if (payload === null) return null;
    const { sub, exp, nbf, aud, iss, scope } = payload;
    if (!isInvestorId(sub)) return null;
    if (typeof exp !== 'number' || !Number.isFinite(exp) || exp * 1000 <= nowMs) return null;
    if (nbf !== undefined && (typeof nbf !== 'number' || !Number.isFinite(nbf) || nbf * 1000 > nowMs))
      return null;
    if (this.#issuer !== undefined && iss !== this.#issuer) return null;
    if (this.#audience !== undefined && aud !== this.#audience) {
      if (!Array.isArray(aud) || !aud.includes(this.#audience)) return null;
    }
    return { investor: sub, exp, scope: typeof scope === 'string' ? scope : '' };
  }
}

/** True when the space-separated `scope` claim (RFC 8693, section 4.2) names `wanted`. */
export function hasScope(claims: TokenClaims, wanted: string): boolean {
  return claims.scope.split(' ').includes(wanted);
}

/**
 * The `sub` of a token read without any check, to choose a queue by; the shard that owns the queue verifies.
 * Null where none can be read.
 */
export function unverifiedSubject(token: string): string | null {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first <= 0 || second < 0 || token.length > TOKEN_BYTES_MAX) return null;
  const subject = parseObject(token.slice(first + 1, second))?.['sub'];
  return isInvestorId(subject) ? subject : null;
}

function parseObject(encoded: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as Record<string, unknown>;
  } catch {
    return null;
  }
}

function readHeader(encoded: string): Header | null {
  const value = parseObject(encoded);
  if (value === null || typeof value['alg'] !== 'string') return null;
  // RFC 7515, section 4.1.11: an extension that is not understood must be refused.
  if (value['crit'] !== undefined) return null;
  const kid = value['kid'];
  return { alg: value['alg'], kid: typeof kid === 'string' ? kid : undefined };
}

function readPublicKey(jwk: Record<string, unknown>): PublicKey[] {
  const alg = algorithmOf(jwk);
  if (alg === null || (jwk['use'] !== undefined && jwk['use'] !== 'sig')) return [];
  try {
    const key = createPublicKey({ key: jwk as never, format: 'jwk' });
    return [{ kid: typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined, alg, key }];
  } catch {
    return [];
  }
}

function algorithmOf(jwk: Record<string, unknown>): PublicKey['alg'] | null {
  const { kty, crv, alg } = jwk;
  if (kty === 'RSA' && (alg === undefined || alg === 'RS256')) return 'RS256';
  if (kty === 'EC' && crv === 'P-256') return 'ES256';
  if (kty === 'OKP' && crv === 'Ed25519') return 'EdDSA';
  return null;
}

function verifyWith(candidate: PublicKey, signed: Buffer, signature: Buffer): boolean {
  switch (candidate.alg) {
    case 'RS256':
      return verifySignature('sha256', signed, candidate.key, signature);
    case 'ES256':
      return verifySignature('sha256', signed, { key: candidate.key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'EdDSA':
      return verifySignature(null, signed, candidate.key, signature);
  }
}
