// Admin routes of the edge's cache of balances: one investor, or many at once, all or nothing.

import { isInvestorId } from '../core/investor.js';
import {
  type BadBody,
  INVESTOR_CONTENT_TYPES,
  type InvestorLine,
  parseInvestorBody,
} from '../core/investor-lines.js';
import { ADMIN_BULK_BODY_BYTES_MAX } from '../core/limits.js';
import { isBalance, isCurrency } from '../core/money.js';
import type { Problem } from '../core/problem.js';
import type { Result } from '../core/result.js';
import type { AdminRequest, AdminResponse, AdminRoute } from '../http/admin-routes.js';
import { type MemberRule, readJsonObject } from '../http/json-body.js';
import { json, malformed, problem, refusal } from '../http/responses.js';

/** The edge's cache of the bank's truth. */
export interface InvestorBalances {
  /** What is cached; null if nothing is. */
  get(investor: string): Promise<InvestorLine | null>;
  /** Takes all lines or none; resolves when they are stored and every shard decides by them. */
  put(lines: readonly InvestorLine[]): Promise<Result<unknown, Problem>>;
}

const PATH = '/admin/v1/investors';

const RULES: Readonly<Record<Exclude<keyof InvestorLine, 'investor'>, MemberRule>> = {
  balance: { check: isBalance, expected: 'an integer of minor units from 0 to 2^53-1' },
  currency: { check: isCurrency, expected: 'an ISO 4217 code such as GBP' },
  eligible: { check: (value) => typeof value === 'boolean', expected: 'true or false' },
};

export function investorRoutes(balances: InvestorBalances): readonly AdminRoute[] {
  return [
    {
      method: 'GET',
      path: `${PATH}/:investor`,
      access: 'admin',
      handler: async (request) => {
        const investor = investorOf(request);
        const line = isInvestorId(investor) ? await balances.get(investor) : null;
        return line === null ? problem({ code: 'investor-not-found' }) : json(line);
      },
    },
    {
      method: 'PUT',
      path: `${PATH}/:investor`,
      access: 'admin',
      contentTypes: ['application/json'],
      handler: async (request) => {
        const investor = investorOf(request);
        if (!isInvestorId(investor)) return malformed('An investor is 1 to 128 characters of visible ASCII.');
        const body = readJsonObject<Omit<InvestorLine, 'investor'>>(request.body, RULES);
        if (!body.ok) return malformed(body.error.detail, body.error.pointer);
        const { balance, currency, eligible } = body.value;
        const line = { investor, balance, currency, eligible };
        const stored = await balances.put([line]);
        return stored.ok ? json(line) : problem(stored.error);
      },
    },
    {
      method: 'POST',
      path: PATH,
      access: 'admin',
      contentTypes: INVESTOR_CONTENT_TYPES,
      bodyBytesMax: ADMIN_BULK_BODY_BYTES_MAX,
      handler: async (request) => {
        const text = utf8(request.body);
        if (text === null) return malformed('The body is not UTF-8.', '');
        const lines = parseInvestorBody(request.contentType, text);
        if (!lines.ok) return refuseBody(lines.error);
        const stored = await balances.put(lines.value);
        return stored.ok ? json({ investors: lines.value.length }) : problem(stored.error);
      },
    },
  ];
}

function investorOf(request: AdminRequest): string {
  return request.params['investor'] ?? '';
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function refuseBody({ tooLong, problem: whole, badLineCount, badLines }: BadBody): AdminResponse {
  if (tooLong === true) return refusal('body-too-large', `The body has ${whole}.`);
  if (whole !== undefined) return malformed(`The body was refused: ${whole}.`, '');
  const numbers = badLines.map(({ line }) => line).join(', ');
  const more = badLineCount > badLines.length ? ` and ${badLineCount - badLines.length} more` : '';
  return refusal('malformed-request', `Nothing was imported: line ${numbers}${more} can not be read.`, {
    pointer: '',
    badLineCount,
    badLines,
  });
}
