// The ledger's admin port: probes and metrics for anybody who reaches it, everything else for openbell:admin.

import { INVESTOR_CONTENT_TYPES, type InvestorLine, parseInvestorBody } from '../core/investor-lines.js';
import {
  ADMIN_BULK_BODY_BYTES_MAX,
  ID_CHARS_MAX,
  LEDGER_ENTRIES_SHOWN_MAX,
  LEDGER_OUTCOMES_PAGE_MAX,
} from '../core/limits.js';
import { isAmount, isCurrency } from '../core/money.js';
import { wholeNumber } from '../core/whole-number.js';
import type { AdminRequest, AdminResponse, AdminRoute } from '../http/admin-routes.js';
import { type MemberRule, readJsonObject } from '../http/json-body.js';
import { content, json, malformed, problem, refusal } from '../http/responses.js';
import { accountKind } from './accounts.js';
import type { LedgerMetrics } from './metrics.js';
import type { Quarantine } from './quarantine.js';
import type { LedgerStore, Refusal, TransferRequest } from './store.js';

export interface LedgerAdminModules {
  readonly store: LedgerStore;
  readonly metrics: LedgerMetrics;
  readonly quarantine: Pick<Quarantine, 'list' | 'release'>;
  /** Investments in hand, by round. */
  readonly backlogByRound: () => ReadonlyMap<string, number>;
  /** What keeps the ledger from settling; empty when it is ready. */
  readonly unready: () => readonly string[];
  /** Balances have changed by hand: the edge has to hear of them. */
  readonly onBalancesQueued: () => void;
}

/** A check of the whole books reads every row. */
const VERIFY_DEADLINE_MS = 600_000;

/** CONTRACT, section 2, Ledger. */
export function ledgerAdminRoutes(modules: LedgerAdminModules): readonly AdminRoute[] {
  return [
    { method: 'GET', path: '/metrics', access: 'none', handler: () => metrics(modules) },
    { method: 'GET', path: '/healthz', access: 'none', handler: () => json({ status: 'alive' }) },
    { method: 'GET', path: '/readyz', access: 'none', handler: () => readiness(modules) },
    {
      method: 'POST',
      path: '/admin/v1/accounts',
      access: 'admin',
      contentTypes: INVESTOR_CONTENT_TYPES,
      bodyBytesMax: ADMIN_BULK_BODY_BYTES_MAX,
      handler: (request) => openAccounts(modules, request),
    },
    {
      method: 'GET',
      path: '/admin/v1/accounts/:investor',
      access: 'admin',
      handler: (request) => showAccount(modules, request),
    },
    {
      method: 'POST',
      path: '/admin/v1/transfers',
      access: 'admin',
      contentTypes: ['application/json'],
      handler: (request) => transfer(modules, request),
    },
    {
      method: 'GET',
      path: '/admin/v1/summary',
      access: 'admin',
      deadlineMs: VERIFY_DEADLINE_MS,
      handler: (request) => summary(modules, request),
    },
    {
      method: 'POST',
      path: '/admin/v1/quarantine/release',
      access: 'admin',
      handler: (request) => release(modules, request),
    },
    {
      method: 'GET',
      path: '/admin/v1/outcomes',
      access: 'admin',
      handler: (request) => listOutcomes(modules, request),
    },
  ];
}

async function metrics({ metrics }: LedgerAdminModules): Promise<AdminResponse> {
  const { body, contentType } = await metrics.text();
  return content(body, contentType);
}

function readiness({ unready }: LedgerAdminModules): AdminResponse {
  const reasons = unready();
  return reasons.length === 0 ? json({ status: 'ready' }) : json({ status: 'not-ready', reasons }, 503);
}

async function openAccounts(modules: LedgerAdminModules, request: AdminRequest): Promise<AdminResponse> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(request.body);
  } catch {
    return malformed('The body is not UTF-8.');
  }
  const parsed = parseInvestorBody(request.contentType, text);
  if (!parsed.ok) {
    const { badLineCount, badLines, problem } = parsed.error;
    const first = badLines[0];
    const detail =
      problem ??
      `${badLineCount} bad lines, nothing was opened; line ${first?.line ?? 0}: ${first?.problem ?? ''}.`;
    return refusal('malformed-request', detail, { badLineCount, badLines });
  }
  const lines: readonly InvestorLine[] = parsed.value;
  const opened = await modules.store.openAccounts(lines);
  if (!opened.ok) return refused(opened.error);
  modules.onBalancesQueued();
  return json(opened.value);
}

async function showAccount({ store }: LedgerAdminModules, request: AdminRequest): Promise<AdminResponse> {
  const investor = request.params['investor'] ?? '';
  const read = await store.account(investor, LEDGER_ENTRIES_SHOWN_MAX);
  if (!read.ok) return away();
  const account = read.value;
  if (account === null) return refusal('account-not-found');
  const { currency, balance, eligible, version, entries } = account;
  return json({ investor, currency, balance, eligible, version, entries });
}

const isVisibleId = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= ID_CHARS_MAX && /^[\x21-\x7e]+$/.test(value);
const isAccountName = (value: unknown): boolean => typeof value === 'string' && accountKind(value) !== null;
const ACCOUNT_NAMES = 'investor:<id>, escrow:<round> or external';

const TRANSFER_RULES: Readonly<Record<keyof TransferRequest, MemberRule>> = {
  id: { check: isVisibleId, expected: `1 to ${ID_CHARS_MAX} characters of visible ASCII` },
  from: { check: isAccountName, expected: ACCOUNT_NAMES },
  to: { check: isAccountName, expected: ACCOUNT_NAMES },
  amount: { check: isAmount, expected: 'a whole number of minor units above 0' },
  currency: { check: isCurrency, expected: 'an ISO 4217 code' },
};

async function transfer(modules: LedgerAdminModules, request: AdminRequest): Promise<AdminResponse> {
  const body = readJsonObject<TransferRequest>(request.body, TRANSFER_RULES);
  if (!body.ok) return malformed(body.error.detail, body.error.pointer);
  const { id, from, to, amount, currency } = body.value;
  if (from === to) return malformed('A transfer needs two accounts.', '/to');
  const done = await modules.store.transfer(body.value);
  if (!done.ok) return refused(done.error);
  modules.onBalancesQueued();
  const headers: Record<string, string> = done.value.isReplay ? { 'Idempotency-Replayed': 'true' } : {};
  return json({ id, from, to, amount, currency, at: done.value.at }, 201, headers);
}

/** `?verify=true` reads every row of the books instead of their stored sums. */
async function summary(modules: LedgerAdminModules, request: AdminRequest): Promise<AdminResponse> {
  const verify = request.query.get('verify') ?? 'false';
  if (verify !== 'true' && verify !== 'false') return malformed('verify must be true or false.', '/verify');
  const faults = verify === 'true' ? await modules.store.verify() : undefined;
  if (faults?.ok === false) return away();
  const read = await modules.store.totals();
  if (!read.ok) return away();
  const { rounds, ...totals } = read.value;
  const backlog = modules.backlogByRound();
  const known = rounds.map((round) => ({ ...round, backlog: backlog.get(round.round) ?? 0 }));
  let backlogSum = 0;
  for (const count of backlog.values()) backlogSum += count;
  return json({
    rounds: known,
    ...totals,
    backlog: backlogSum,
    quarantined: modules.quarantine.list(),
    ...(faults === undefined ? {} : { faults: faults.value }),
  });
}

const RELEASE_RULES = { id: { check: isVisibleId, expected: 'an investment id', optional: true } } as const;

/** Lets one investment out of the quarantine, or all of them: what is published of them from now on is tried again. */
function release({ quarantine }: LedgerAdminModules, { body }: AdminRequest): AdminResponse {
  const read = body.byteLength === 0 ? null : readJsonObject<{ id?: string }>(body, RELEASE_RULES);
  if (read !== null && !read.ok) return malformed(read.error.detail, read.error.pointer);
  return json({ released: quarantine.release(read?.value.id ?? null) });
}

async function listOutcomes({ store }: LedgerAdminModules, request: AdminRequest): Promise<AdminResponse> {
  const after = queryInteger(request.query, 'after', 0, 0, Number.MAX_SAFE_INTEGER);
  if (after === null) return malformed('after must be the `next` of an earlier answer.', '/after');
  const limit = queryInteger(request.query, 'limit', 1_000, 1, LEDGER_OUTCOMES_PAGE_MAX);
  if (limit === null) return malformed(`limit must be from 1 to ${LEDGER_OUTCOMES_PAGE_MAX}.`, '/limit');
  const read = await store.outcomes(after, limit);
  if (!read.ok) return away();
  const { outcomes, next, more } = read.value;
  return json({ outcomes, next: String(next), more });
}

const AWAY_RETRY_S = 1;

/** The store is away for a moment; what is wrong with it is in the log, not in the answer. */
const away = (detail = 'The books cannot be read now.'): AdminResponse =>
  problem({ code: 'overloaded', detail, retryAfterS: AWAY_RETRY_S });

const refused = ({ code, detail }: Refusal): AdminResponse =>
  code === 'overloaded' ? away(detail) : refusal(code, detail);

/** A query parameter of digits within bounds, its default when absent, or null. */
function queryInteger(
  query: URLSearchParams,
  name: string,
  otherwise: number,
  min: number,
  max: number,
): number | null {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = wholeNumber(text);
  return value !== null && value >= min && value <= max ? value : null;
}
