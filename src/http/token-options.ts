// What a process checks tokens with, from its configuration: the secret, or the keys of the JWKS file (RFC 7517).

import { readFileSync, statSync } from 'node:fs';
import type { Config } from '../core/config.js';
import { CONFIG_FILE_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { TokenOptions } from '../core/token.js';

/** The options of a TokenVerifier; the error says what is wrong with the JWKS file. */
export function tokenOptions(config: Config): Result<TokenOptions, string> {
  const { jwtSecret: secret, jwtAudience: audience, jwtIssuer: issuer, jwksFile } = config;
  if (jwksFile === undefined) return ok({ secret, audience, issuer });
  const jwks = readJwks(jwksFile);
  return jwks.ok ? ok({ secret, audience, issuer, jwks: jwks.value }) : jwks;
}

function readJwks(file: string): Result<readonly Record<string, unknown>[], string> {
  let value: unknown;
  try {
    if (statSync(file).size > CONFIG_FILE_BYTES_MAX)
      return err(`OPENBELL_JWKS_FILE ${file} is too large for a JWKS`);
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return err(`OPENBELL_JWKS_FILE ${file} cannot be read: ${(error as Error).message}`);
  }
  const keys = typeof value === 'object' && value !== null ? (value as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(keys) || keys.length === 0)
    return err(`OPENBELL_JWKS_FILE ${file} is not a JWKS: it must have a list "keys"`);
  return ok(keys as Record<string, unknown>[]);
}
