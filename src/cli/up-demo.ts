// What `openbell up` puts into a node so that there is something to see: a round, some investors, and a request that
// works when it is pasted. Made once; a later `up` in the same data directory leaves what it finds.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../core/config.js';
import { ok, type Result } from '../core/result.js';
import { signToken } from '../core/token-signing.js';
import { AdminClient, adminClient, type CallFailure, nowS } from './admin-client.js';
import type { Failure } from './failure.js';

export interface Demo {
  readonly publicUrl: string;
  readonly adminUrl: string;
  readonly ledgerUrl: string;
  /** Null where this machine cannot sign tokens: then nothing is made. */
  readonly round: { readonly id: string; readonly state: string } | null;
  /** A request that is accepted when it is pasted; null when there is no open round. */
  readonly curl: string | null;
}

const ROUND_ID = 'demo';
const ROUND = {
  id: ROUND_ID,
  name: 'Demo round',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
};
const AMOUNT = 50_000;

interface DemoInvestor {
  readonly investor: string;
  readonly balance: number;
  readonly currency: string;
  readonly eligible: boolean;
}

const person = (investor: string, balance: number, eligible = true): DemoInvestor => {
  return { investor, balance, currency: 'GBP', eligible };
};

/** Alice and Bob have enough money, Carol has too little for most amounts, Dave may not invest. */
const INVESTORS = [
  person('alice', 500_000),
  person('bob', 150_000),
  person('carol', 5_000),
  person('dave', 500_000, false),
];
const GUEST_BALANCE = 500_000;

const BUSY_TRIES_MAX = 40;
const BUSY_PAUSE_MS = 250;
const TOKEN_TTL_S = 12 * 3_600;

/** Makes what is missing and says how to use it. */
export async function prepareDemo(config: Config): Promise<Result<Demo, Failure>> {
  const publicUrl = `http://${config.host === '0.0.0.0' || config.host === '::' ? '127.0.0.1' : hostInUrl(config.host)}:${config.port}`;
  const urls = { publicUrl, adminUrl: config.adminUrl, ledgerUrl: config.ledgerUrl };
  const { jwtSecret } = config;
  if (jwtSecret === undefined) return ok({ ...urls, round: null, curl: null });
  const edge = adminClient(config, 'edge');
  const ledger = adminClient(config, 'ledger');
  if (!edge.ok) return edge;
  if (!ledger.ok) return ledger;
  const state = await ensureRound(edge.value);
  if (!state.ok) return state;
  const seeded = await seed(INVESTORS, edge.value, ledger.value);
  if (!seeded.ok) return seeded;
  const round = { id: ROUND_ID, state: state.value };
  if (state.value !== 'open') return ok({ ...urls, round, curl: null });

  const tokenOf = (investor: string): string =>
    signToken(jwtSecret, {
      subject: investor,
      expiresAtS: nowS() + TOKEN_TTL_S,
      audience: config.jwtAudience,
      issuer: config.jwtIssuer,
    });
  for (const name of ['alice', 'bob']) {
    const invested = await hasInvested(new AdminClient('edge', publicUrl, () => tokenOf(name)));
    if (!invested.ok) return invested;
    if (!invested.value) return ok({ ...urls, round, curl: curlLine(publicUrl, tokenOf(name)) });
  }
  const guest = person(`guest-${randomBytes(4).toString('hex')}`, GUEST_BALANCE);
  const invited = await seed([guest], edge.value, ledger.value);
  return invited.ok ? ok({ ...urls, round, curl: curlLine(publicUrl, tokenOf(guest.investor)) }) : invited;
}

const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** The state of the demo round, which is made and opened if it is not there yet. */
async function ensureRound(edge: AdminClient): Promise<Result<string, CallFailure>> {
  const path = '/admin/v1/rounds';
  const found = await whileBusy(() => edge.call('GET', `${path}/${ROUND_ID}`));
  if (found.ok && stateOf(found.value) !== 'scheduled') return ok(stateOf(found.value));
  if (!found.ok) {
    if (found.error.code !== 'round-not-found') return found;
    const body = { type: 'application/json', data: JSON.stringify(ROUND) };
    const created = await whileBusy(() => edge.call('POST', path, body));
    if (!created.ok && created.error.code !== 'round-exists') return created;
  }
  const opened = await whileBusy(() => edge.call('POST', `${path}/${ROUND_ID}/open`));
  return opened.ok ? ok(stateOf(opened.value)) : opened;
}

const stateOf = (round: unknown): string => String((round as { state?: unknown }).state);

/** Opens accounts, and gives the edge the ledger's balance of those that it does not know. */
async function seed(
  investors: readonly DemoInvestor[],
  edge: AdminClient,
  ledger: AdminClient,
): Promise<Result<null, CallFailure>> {
  const lines = investors.map((line) => JSON.stringify(line)).join('\n');
  const body = { type: 'application/x-ndjson', data: lines };
  const opened = await whileBusy(() => ledger.call('POST', '/admin/v1/accounts', body));
  if (!opened.ok) return opened;
  for (const { investor } of investors) {
    const path = `/admin/v1/investors/${investor}`;
    const known = await whileBusy(() => edge.call('GET', path));
    if (known.ok) continue;
    if (known.error.code !== 'investor-not-found') return known;
    const account = await whileBusy(() => ledger.call('GET', `/admin/v1/accounts/${investor}`));
    if (!account.ok) return account;
    const { balance, currency, eligible } = account.value as DemoInvestor;
    const data = JSON.stringify({ balance, currency, eligible });
    const cached = await whileBusy(() => edge.call('PUT', path, { type: 'application/json', data }));
    if (!cached.ok) return cached;
  }
  return ok(null);
}

/** Whether this investor has a live investment in the demo round. */
async function hasInvested(investor: AdminClient): Promise<Result<boolean, CallFailure>> {
  const answer = await whileBusy(() => investor.call('GET', `/v1/rounds/${ROUND_ID}/investments`));
  if (!answer.ok) return answer;
  const { investments } = answer.value as { investments: readonly { readonly state: string }[] };
  return ok(investments.some(({ state }) => state === 'accepted' || state === 'settled'));
}

/** Asks again while the answer is 503: a node that has just started may still be warming up. */
async function whileBusy(
  call: () => Promise<Result<unknown, CallFailure>>,
): Promise<Result<unknown, CallFailure>> {
  let answer = await call();
  for (let tries = 1; tries < BUSY_TRIES_MAX && !answer.ok && answer.error.status === 503; tries++) {
    await sleep(BUSY_PAUSE_MS);
    answer = await call();
  }
  return answer;
}

function curlLine(publicUrl: string, token: string): string {
  const key = `demo-${randomBytes(4).toString('hex')}`;
  const headers = [
    `Authorization: Bearer ${token}`,
    `Idempotency-Key: ${key}`,
    'Content-Type: application/json',
  ];
  const body = JSON.stringify({ amount: AMOUNT, currency: 'GBP' });
  const flags = headers.map((header) => `-H '${header}'`).join(' ');
  return `curl -isS ${publicUrl}/v1/rounds/${ROUND_ID}/investments ${flags} -d '${body}'`;
}
