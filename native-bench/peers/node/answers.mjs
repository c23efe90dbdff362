// What is answered: the bytes of a 201 and of the problems, as openbell writes them.

import { settings } from './settings.mjs';

export const ACCEPTED = 0;
export const ALREADY_INVESTED = 1;
export const INSUFFICIENT_BALANCE = 2;
export const ROUND_FULL = 3;
const CODES = ['accepted', 'already-invested', 'insufficient-balance', 'round-full'];

const PROBLEM_TYPE = 'application/problem+json';

/** By code, the status and the body up to its extension members. */
const PROBLEMS = new Map(
  Object.entries(settings.problems).map(([code, { status, title, detail }]) => {
    const text = JSON.stringify({ type: `/problems/${code}`, title, status, detail, code });
    return [code, { status, head: text.slice(0, -1) }];
  }),
);

/** `members`: JSON text of extension members, each with a comma before it. */
export function problem(code, members = '', headers = {}) {
  const { status, head } = PROBLEMS.get(code);
  return { status, headers: { 'Content-Type': PROBLEM_TYPE, ...headers }, body: `${head}${members}}` };
}

export const UNAUTHENTICATED = problem('unauthenticated', '', { 'WWW-Authenticate': 'Bearer' });

let lastMs = -1;
let lastText = '';

function timestamp(ms) {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/**
 * The answer of a verdict that sticks to its key.
 * @param journalId 8 of a-z 0-9: tells the ids of two stores apart
 * @param verdict `{code, amount, sequence, at, extra}`; `extra`: the live investment's sequence, or the room at that moment
 */
export function answerOf(journalId, investor, verdict, replayed) {
  const { code, amount, sequence, at, extra } = verdict;
  const headers = replayed ? { 'Idempotency-Replayed': 'true' } : {};
  if (code !== ACCEPTED) {
    let members = '';
    if (code === ALREADY_INVESTED) members = `,"investment":"${journalId}-${extra.toString(36)}"`;
    else if (code === ROUND_FULL) members = `,"remaining":${extra}`;
    return problem(CODES[code], members, headers);
  }
  const id = `${journalId}-${sequence.toString(36)}`;
  headers['Content-Type'] = 'application/json';
  headers['Location'] = `/v1/rounds/${settings.round}/investments/${id}`;
  return {
    status: 201,
    headers,
    body: `{"id":"${id}","round":"${settings.round}","investor":${JSON.stringify(investor)},"amount":${amount},"currency":"${settings.currency}","state":"accepted","sequence":${sequence},"acceptedAt":"${timestamp(at)}"}`,
  };
}

/** 8 characters for a new store. */
export function newJournalId() {
  return Math.random().toString(36).slice(2, 10).padEnd(8, '0');
}
