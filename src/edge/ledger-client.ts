// The edge as a client of the ledger's admin port, for audits: a few reads, each bounded in time and size.

import { Agent, request } from 'undici';
import type { Config } from '../core/config.js';
import { AUDIT_DEADLINE_MS, LEDGER_ANSWER_BYTES_MAX } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import { signToken } from '../core/token-signing.js';
import { ADMIN_SCOPE } from '../http/admin-auth.js';

const TOKEN_TTL_S = 60;
const CONNECT_TIMEOUT_MS = 5_000;

export interface LedgerRound {
  readonly round: string;
  /** Minor units and number of what has been settled. */
  readonly settled: number;
  readonly settledCount: number;
  /** Balance of the round's escrow, and what transfers by hand have put into it. */
  readonly escrow: number;
  readonly transferred: number;
}

export interface LedgerSummary {
  readonly rounds: readonly LedgerRound[];
  /** Outcomes that the ledger holds. */
  readonly outcomes: number;
  readonly entriesSum: number;
  /** What a check of every account and entry has found; null when the ledger made none. */
  readonly faults: readonly { readonly invariant: string; readonly detail: string }[] | null;
  /** Investments that it has died over and tries no more. */
  readonly quarantined: readonly { readonly id: string; readonly deaths: number; readonly since: string }[];
}

export type LedgerClientConfig = Pick<
  Config,
  'ledgerUrl' | 'jwtSecret' | 'jwtAudience' | 'jwtIssuer' | 'adminToken'
>;

/** An error says what happened and what to do, in one sentence. */
export class LedgerClient {
  readonly #config: LedgerClientConfig;
  readonly #nowMs: () => number;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: AUDIT_DEADLINE_MS,
    bodyTimeout: AUDIT_DEADLINE_MS,
    maxResponseSize: LEDGER_ANSWER_BYTES_MAX,
  });

  /** @param nowMs milliseconds since the epoch */
  constructor(config: LedgerClientConfig, nowMs: () => number) {
    this.#config = config;
    this.#nowMs = nowMs;
  }

  /** The ledger's totals, after it has checked all its books. */
  async summary(): Promise<Result<LedgerSummary, string>> {
    const read = await this.#get('/admin/v1/summary?verify=true');
    if (!read.ok) return read;
    const summary = readSummary(read.value);
    return summary === null
      ? err(`${this.#config.ledgerUrl} does not answer like a ledger's admin port`)
      : ok(summary);
  }

  /** A page of outcomes in the order of their settlement, as JSON text; `after` is the `next` of the page before. */
  outcomes(after: string, limit: number): Promise<Result<Uint8Array, string>> {
    return this.#get(`/admin/v1/outcomes?after=${encodeURIComponent(after)}&limit=${limit}`);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #get(path: string): Promise<Result<Uint8Array, string>> {
    const { ledgerUrl } = this.#config;
    const token = this.#token();
    if (token === null) {
      return err(
        'there is no token for its admin port: set OPENBELL_ADMIN_TOKEN to one with scope openbell:admin',
      );
    }
    try {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await request(`${ledgerUrl}${path}`, { headers, dispatcher: this.#agent });
      const body = await answer.body.bytes();
      return answer.statusCode === 200 ? ok(body) : err(this.#refusal(answer.statusCode));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const fix = 'start it, or set OPENBELL_LEDGER_URL to where its admin port is';
      return err(`it does not answer at ${ledgerUrl} (${code ?? message}): ${fix}`);
    }
  }

  #refusal(status: number): string {
    const { ledgerUrl } = this.#config;
    if (status === 401 || status === 403) {
      return `it does not take our token (${status}): give edge and ledger the same secret, or set OPENBELL_ADMIN_TOKEN`;
    }
    return `${ledgerUrl} answered ${status}: see the ledger's log, and whether OPENBELL_LEDGER_URL is its admin port`;
  }

  #token(): string | null {
    const { adminToken, jwtSecret, jwtAudience: audience, jwtIssuer: issuer } = this.#config;
    if (adminToken !== undefined) return adminToken;
    if (jwtSecret === undefined) return null;
    const expiresAtS = Math.floor(this.#nowMs() / 1000) + TOKEN_TTL_S;
    return signToken(jwtSecret, {
      subject: 'openbell-edge',
      scope: ADMIN_SCOPE,
      expiresAtS,
      audience,
      issuer,
    });
  }
}

const ROUND_NUMBERS = ['settled', 'settledCount', 'escrow', 'transferred'] as const;

function readSummary(body: Uint8Array): LedgerSummary | null {
  let value: Partial<LedgerSummary> | null;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8')) as Partial<LedgerSummary> | null;
  } catch {
    return null;
  }
  const { rounds, outcomes, entriesSum, faults, quarantined = [] } = value ?? {};
  if (!Array.isArray(rounds) || !Number.isSafeInteger(outcomes) || typeof entriesSum !== 'number')
    return null;
  const isRound = (round: Partial<LedgerRound>): boolean =>
    typeof round?.round === 'string' && ROUND_NUMBERS.every((name) => Number.isSafeInteger(round[name]));
  if (!rounds.every(isRound) || (faults !== undefined && !Array.isArray(faults))) return null;
  if (!Array.isArray(quarantined)) return null;
  return { rounds, outcomes: outcomes ?? 0, entriesSum, faults: faults ?? null, quarantined };
}
