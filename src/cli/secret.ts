// The secret that development tokens are signed with and checked against. Whoever needs it asks here: it is the
// configured one, else the file `jwt-secret` of the data directory, which `openbell up` makes (mode 0600).
// Where a JWKS is configured the file is not looked at: a forgotten development secret must not open a production node.

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { errorText, type Failure } from './failure.js';

const SECRET_BYTES = 32;

/** Where the local secret lives. */
export function secretFile(dataDir: string): string {
  return join(dataDir, 'jwt-secret');
}

/**
 * The configuration with its secret filled in from the data directory, unless a secret or a JWKS is configured.
 * @param create make the file if there is none; otherwise that is a failure
 */
export function ensureSecret(config: Config, create: boolean): Result<Config, Failure> {
  if (config.jwtSecret !== undefined || config.jwksFile !== undefined) return ok(config);
  const file = secretFile(config.dataDir);
  try {
    if (create) createSecret(config.dataDir, file);
    const secret = readFileSync(file, 'utf8').trim();
    if (Buffer.byteLength(secret, 'utf8') >= SECRET_BYTES)
      return ok(Object.freeze({ ...config, jwtSecret: secret }));
    return err({
      message: `the secret in ${file} is shorter than ${SECRET_BYTES} bytes`,
      exitCode: EXIT.config,
    });
  } catch (error) {
    const absent = (error as NodeJS.ErrnoException).code === 'ENOENT' && !create;
    const message = absent
      ? `nothing to check tokens with: set OPENBELL_JWT_SECRET or OPENBELL_JWKS_FILE (or run "openbell up", which makes ${file})`
      : `the secret ${file} cannot be ${create ? 'made' : 'read'}: ${errorText(error)}`;
    return err({ message, exitCode: EXIT.config });
  }
}

/** Writes a fresh secret unless the file exists; two at once leave one whole file. */
function createSecret(dataDir: string, file: string): void {
  mkdirSync(dataDir, { recursive: true });
  let handle: number;
  try {
    handle = openSync(file, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw error;
  }
  writeSync(handle, `${randomBytes(SECRET_BYTES).toString('hex')}\n`);
  fsyncSync(handle);
  closeSync(handle);
}

/** The secret to sign with, for commands that make tokens themselves. */
export function signingSecret(config: Config): Result<string, Failure> {
  const ensured = ensureSecret(config, false);
  if (!ensured.ok) return ensured;
  const secret = ensured.value.jwtSecret;
  if (secret !== undefined) return ok(secret);
  const message = 'tokens are checked against OPENBELL_JWKS_FILE, so this machine cannot sign them';
  return err({
    message: `${message}: set OPENBELL_JWT_SECRET, or OPENBELL_ADMIN_TOKEN for admin commands`,
    exitCode: EXIT.config,
  });
}
