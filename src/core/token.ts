// Bearer tokens (RFC 6750, 7519): who is asking, and with which scopes. Signatures by shared secret or by JWKS.

import { createPublicKey, hash, type KeyObject, verify as verifySignature } from 'node:crypto';
import { HS256_SIGNATURE_CHARS, Hs256 } from './hs256.js';
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
  /** What it was signed with. */
  readonly alg: string;
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

const HEADERS_CACHED_MAX = 64;
/** The characters of a compact token (RFC 7515, section 3.1). */
const TOKEN_PATTERN = /^[A-Za-z0-9_.-]+$/;

/**
 * Checks tokens of every form. HS256 costs what a cache look-up by hash would, so only public-key results are cached,
 * by SHA-256 of the token, until they expire.
 */
export class TokenVerifier {
  readonly #audience: string | undefined;
  readonly #issuer: string | undefined;
  readonly #publicKeys: readonly PublicKey[];
  readonly #cache = new Map<string, TokenClaims>();
  readonly #headers = new Map<string, Header | null>();
  readonly #hs256: Hs256 | null;
  readonly #token = Buffer.allocUnsafeSlow(TOKEN_BYTES_MAX);

  constructor(options: TokenOptions) {
    this.#audience = options.audience;
    this.#issuer = options.issuer;
    this.#publicKeys = (options.jwks ?? []).flatMap(readPublicKey);
    this.#hs256 = options.secret === undefined ? null : new Hs256(options.secret);
  }

  /**
   * The claims of a valid token, or null: malformed, wrong or disallowed `alg`, wrong key, expired or without
   * `exp`, not yet valid, wrong audience or issuer, `sub` missing or out of bounds. No clock leeway.
   * @param token the compact form, without the scheme
   * @param nowMs milliseconds since the epoch
   */
  verify(token: string, nowMs: number): TokenClaims | null {
    if (token.length > TOKEN_BYTES_MAX || !TOKEN_PATTERN.test(token)) return null;
    const first = token.indexOf('.');
    const second = token.indexOf('.', first + 1);
    if (first <= 0 || second < 0 || token.indexOf('.', second + 1) >= 0) return null;
    const header = this.#header(token.slice(0, first));
    if (header === null) return null;
    if (header.alg === 'HS256') {
      if (!this.#signedBySecret(token, second)) return null;
      return this.#claims(token.slice(first + 1, second), nowMs, header.alg);
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
    if (this.#hs256 === null || token.length - signedChars - 1 !== HS256_SIGNATURE_CHARS) return false;
    this.#token.latin1Write(token, 0, token.length);
    return this.#hs256.verify(this.#token, 0, signedChars, token.length);
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
    const claims = this.#claims(token.slice(first + 1, second), nowMs, header.alg);
    if (claims === null) return null;
    if (this.#cache.size >= TOKENS_CACHED_MAX) {
      const oldest = this.#cache.keys().next();
      if (!oldest.done) this.#cache.delete(oldest.value);
    }
    this.#cache.set(digest, claims);
    return claims;
  }

  #claims(encoded: string, nowMs: number, alg: string): TokenClaims | null {
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
    return { investor: sub, exp, scope: typeof scope === 'string' ? scope : '', alg };
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
