// Who may use an admin port: a token with the scope openbell:admin.

import type { ProblemCode } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import { hasScope, type TokenVerifier } from '../core/token.js';

export const ADMIN_SCOPE = 'openbell:admin';

/** The token's `sub`, or why it does not open this door. */
export type AdminAuthorize = (token: string) => Result<string, ProblemCode>;

/** @param nowMs milliseconds since the epoch */
export function adminAuthorizer(verifier: TokenVerifier, nowMs: () => number): AdminAuthorize {
  return (token) => {
    const claims = verifier.verify(token, nowMs());
    if (claims === null) return err('unauthenticated');
    return hasScope(claims, ADMIN_SCOPE) ? ok(claims.investor) : err('forbidden');
  };
}

/** The token of an Authorization header (RFC 6750, section 2.1; the scheme in any case), or null. */
export function bearerToken(authorization: string): string | null {
  const match = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(authorization);
  return match?.[1] ?? null;
}
