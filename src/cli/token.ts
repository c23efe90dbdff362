// `openbell token`: a token signed with the local development secret.

import { EXIT } from '../core/exit-codes.js';
import { isInvestorId } from '../core/investor.js';
import { err, ok, type Result } from '../core/result.js';
import { signToken } from '../core/token-signing.js';
import { ADMIN_SCOPE } from '../http/admin-auth.js';
import { nowS } from './admin-client.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments, usageFailure } from './arguments.js';
import { type Failure, fail } from './failure.js';
import { commandConfig } from './load-config.js';
import { printJson, printLine } from './output.js';
import { signingSecret } from './secret.js';

const SPEC = {
  name: 'token',
  positionals: [],
  summary: 'Sign a token for an investor with the local development secret.',
  options: {
    investor: { type: 'string', value: 'ID', help: 'whom the token speaks for: its subject' },
    admin: { type: 'boolean', help: `add the scope ${ADMIN_SCOPE}` },
    ttl: { type: 'string', value: 'TIME', help: 'how long it is valid: 90s, 15m, 1h (default), 7d' },
    ...CONFIG_OPTION,
    ...JSON_OPTION,
  },
  notes:
    'The secret is OPENBELL_JWT_SECRET, or the file jwt-secret that "openbell up" makes in the data directory.',
} as const;

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
const TTL_S_MAX = 366 * 86_400;

/** Seconds in `90s`, `15m`, `1h` or `7d`; null for anything else, and past a year. */
export function parseTtl(text: string): number | null {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  if (match === null) return null;
  const seconds = Number.parseInt(match[1]!, 10) * UNIT_S[match[2]!]!;
  return seconds <= TTL_S_MAX ? seconds : null;
}

export async function tokenCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { investor, admin, ttl, config: file, json } = parsed.value.values;
  const wanted = checkWanted(investor, ttl ?? '1h');
  if (!wanted.ok) return fail(wanted.error);
  const config = commandConfig(file, env);
  if (!config.ok) return fail(config.error);
  const secret = signingSecret(config.value);
  if (!secret.ok) return fail(secret.error);

  const expiresAtS = nowS() + wanted.value.ttlS;
  const token = signToken(secret.value, {
    subject: wanted.value.investor,
    expiresAtS,
    scope: admin === true ? ADMIN_SCOPE : undefined,
    audience: config.value.jwtAudience,
    issuer: config.value.jwtIssuer,
  });
  if (json === true) {
    printJson({
      token,
      investor: wanted.value.investor,
      expiresAt: new Date(expiresAtS * 1000).toISOString(),
    });
  } else printLine(token);
  return EXIT.done;
}

function checkWanted(
  investor: string | undefined,
  ttl: string,
): Result<{ investor: string; ttlS: number }, Failure> {
  if (investor === undefined) return err(usageFailure('token', 'token needs --investor ID'));
  if (!isInvestorId(investor)) {
    return err(usageFailure('token', '--investor must be 1 to 128 visible ASCII characters, without spaces'));
  }
  const ttlS = parseTtl(ttl);
  if (ttlS === null)
    return err(usageFailure('token', '--ttl must be like 90s, 15m, 1h or 7d, and at most a year'));
  return ok({ investor, ttlS });
}
