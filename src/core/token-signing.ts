// Signs bearer tokens with the shared secret (HS256, RFC 7519): for development, load, and calls between our processes.

import { createHmac } from 'node:crypto';

export interface SignedClaims {
  readonly subject: string;
  /** Seconds since the epoch. */
  readonly expiresAtS: number;
  /** Space-separated; absent for an ordinary investor. */
  readonly scope?: string | undefined;
  readonly audience?: string | undefined;
  readonly issuer?: string | undefined;
}

const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/** A compact JWS over the claims. `secret` is used as its UTF-8 bytes. */
export function signToken(secret: string, claims: SignedClaims): string {
  const payload = JSON.stringify({
    sub: claims.subject,
    exp: claims.expiresAtS,
    scope: claims.scope,
    aud: claims.audience,
    iss: claims.issuer,
  });
  const signed = `${HEADER}.${Buffer.from(payload).toString('base64url')}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
