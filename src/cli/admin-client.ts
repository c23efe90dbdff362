// How commands talk to the admin ports of the edge and the ledger, and how a refusal becomes one line and an exit code.

import { Agent, request } from 'undici';
import type { Config } from '../core/config.js';
import { EXIT, type ExitCode } from '../core/exit-codes.js';
import { CLI_ANSWER_BYTES_MAX, CLI_REQUEST_TIMEOUT_MS } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { signToken } from '../core/token-signing.js';
import { ADMIN_SCOPE } from '../http/admin-auth.js';
import { errorText, type Failure } from './failure.js';
import { signingSecret } from './secret.js';

const ADMIN_TOKEN_TTL_S = 300;
const CONNECT_TIMEOUT_MS = 5_000;

export type Service = 'edge' | 'ledger';

/** A call that did not succeed. */
export interface CallFailure extends Failure {
  /** HTTP status; null when the service could not be reached. */
  readonly status: number | null;
  /** The problem's code. */
  readonly code: string | null;
}

export interface AdminBody {
  readonly type: string;
  readonly data: string | Buffer;
}

export class AdminClient {
  readonly baseUrl: string;
  readonly #service: Service;
  readonly #token: (() => string) | null;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: CLI_REQUEST_TIMEOUT_MS,
    bodyTimeout: CLI_REQUEST_TIMEOUT_MS,
    maxResponseSize: CLI_ANSWER_BYTES_MAX,
  });

  /** @param token makes the bearer token of one call; null: none is sent */
  constructor(service: Service, baseUrl: string, token: (() => string) | null) {
    this.#service = service;
    this.baseUrl = baseUrl;
    this.#token = token;
  }

  /** The parsed JSON of a 2xx answer (null where there is no body). */
  async call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH',
    path: string,
    body?: AdminBody,
  ): Promise<Result<unknown, CallFailure>> {
    const headers = {
      ...(this.#token && { authorization: `Bearer ${this.#token()}` }),
      ...(body && { 'content-type': body.type }),
    };
    let status: number;
    let text: string;
    try {
      const options = { method, headers, body: body?.data ?? null, dispatcher: this.#agent };
      const answer = await request(`${this.baseUrl}${path}`, options);
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (error) {
      return err(this.#unreachable(error));
    }
    const value = parseJson(text);
    if (status >= 200 && status < 300 && value !== undefined) return ok(value);
    return err(this.#refused(status, value));
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  #unreachable(error: unknown): CallFailure {
    const reason = (error as NodeJS.ErrnoException).code ?? errorText(error);
    const flag = this.#service === 'edge' ? '--admin-url' : '--ledger-url';
    const message =
      `the ${this.#service} does not answer at ${this.baseUrl} (${reason}): ` +
      `start it with "openbell up" or "openbell ${this.#service}", or say with ${flag} where it is`;
    return { message, exitCode: EXIT.unavailable, status: null, code: null };
  }

  #refused(status: number, value: unknown): CallFailure {
    const problem = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
    const code = typeof problem['code'] === 'string' ? problem['code'] : null;
    const detail =
      typeof problem['detail'] === 'string' ? problem['detail'] : `${this.baseUrl} answered ${status}`;
    return {
      message: code === null ? detail : `${code}: ${detail}`,
      exitCode: exitCodeOf(status),
      status,
      code,
    };
  }
}

function exitCodeOf(status: number): ExitCode {
  if (status === 503 || status === 429) return EXIT.tryAgain;
  return status >= 400 && status < 500 ? EXIT.checkFailed : EXIT.internal;
}

/** The parsed text, null where it is empty, undefined where it is not JSON. */
function parseJson(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** A client of one admin port, with OPENBELL_ADMIN_TOKEN or else short-lived tokens signed with the local secret. */
export function adminClient(config: Config, service: Service): Result<AdminClient, Failure> {
  const baseUrl = service === 'edge' ? config.adminUrl : config.ledgerUrl;
  const { adminToken } = config;
  if (adminToken !== undefined) return ok(new AdminClient(service, baseUrl, () => adminToken));
  const secret = signingSecret(config);
  if (!secret.ok) return secret;
  const sign = (): string =>
    signToken(secret.value, {
      subject: 'openbell-cli',
      scope: ADMIN_SCOPE,
      expiresAtS: nowS() + ADMIN_TOKEN_TTL_S,
      audience: config.jwtAudience,
      issuer: config.jwtIssuer,
    });
  return ok(new AdminClient(service, baseUrl, sign));
}

/** The wall clock in whole seconds, as tokens count. */
export function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
