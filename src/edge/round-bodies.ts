// Checks the bodies that create and amend rounds, member by member; what is wrong is named by a JSON Pointer.

import { ROUND_NAME_CHARS_MAX } from '../core/limits.js';
import { isAmount, isCurrency } from '../core/money.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import { ROUND_ID_PATTERN, type RoundDefinition } from '../core/round.js';
import { parseRfc3339Ms } from './rfc3339.js';

/** A definition without what the node itself gives a round. */
export type NewRound = Omit<RoundDefinition, 'number' | 'state'>;

const AMENDABLE = ['name', 'cap', 'minimum', 'maximum', 'opensAt', 'closesAt'] as const;

/** The members that an amendment names; those that are absent stay as they are. */
export type Amendment = Partial<Pick<RoundDefinition, (typeof AMENDABLE)[number]>>;

type Members = Readonly<Record<string, unknown>>;
type Read = (value: unknown) => Result<unknown, string>;

const CREATABLE: Readonly<Record<keyof NewRound, { readonly read: Read; readonly absent?: unknown }>> = {
  id: { read: readRoundId },
  name: { read: readName },
  currency: { read: readCurrency },
  cap: { read: readAmount },
  minimum: { read: readAmount },
  maximum: { read: readAmount },
  opensAt: { read: readTime, absent: null },
  closesAt: { read: readTime, absent: null },
  unknownBalance: { read: readUnknownBalance, absent: 'refuse' },
};

/** The body of POST /admin/v1/rounds. A round's times and `unknownBalance` may be left out. */
export function parseNewRound(body: unknown): Result<NewRound, Problem> {
  const members = asMembers(body, Object.keys(CREATABLE));
  if (!members.ok) return members;
  const round: Record<string, unknown> = {};
  for (const [name, { read, absent }] of Object.entries(CREATABLE)) {
    const value = members.value[name];
    if (value === undefined) {
      if (absent === undefined) return malformed(`/${name}`, `${name} is missing`);
      round[name] = absent;
      continue;
    }
    const member = read(value);
    if (!member.ok) return malformed(`/${name}`, `${name} ${member.error}`);
    round[name] = member.value;
  }
  return checkRelations(round as unknown as NewRound);
}

/** The body of PATCH /admin/v1/rounds/{round}. */
export function parseAmendment(body: unknown): Result<Amendment, Problem> {
  const members = asMembers(body, AMENDABLE);
  if (!members.ok) return members;
  const amendment: Record<string, unknown> = {};
  for (const name of AMENDABLE) {
    const value = members.value[name];
    if (value === undefined) continue;
    const member = CREATABLE[name].read(value);
    if (!member.ok) return malformed(`/${name}`, `${name} ${member.error}`);
    amendment[name] = member.value;
  }
  return ok(amendment);
}

/** The rules between a round's members. */
export function checkRelations<T extends NewRound>(round: T): Result<T, Problem> {
  if (round.minimum > round.maximum) return malformed('/minimum', 'minimum must not be above maximum');
  if (round.maximum > round.cap) return malformed('/maximum', 'maximum must not be above cap');
  if (round.opensAt !== null && round.closesAt !== null && round.opensAt >= round.closesAt) {
    return malformed('/closesAt', 'closesAt must be after opensAt');
  }
  return ok(round);
}

/** A `malformed-request` that points at one member. */
export function malformed(pointer: string, detail: string): { readonly ok: false; readonly error: Problem } {
  return err({ code: 'malformed-request', detail: `${detail}.`, members: { pointer } });
}

function asMembers(body: unknown, known: readonly string[]): Result<Members, Problem> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return malformed('', 'the body must be a JSON object');
  }
  for (const name of Object.keys(body)) {
    if (!known.includes(name)) {
      return malformed(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, 'this member is unknown here');
    }
  }
  return ok(body as Members);
}

function readRoundId(value: unknown): Result<string, string> {
  if (typeof value === 'string' && ROUND_ID_PATTERN.test(value)) return ok(value);
  return err('must be 1 to 40 characters of a-z, 0-9 and -');
}

/** Control characters, and halves of surrogate pairs, which UTF-8 cannot carry. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

function readName(value: unknown): Result<string, string> {
  const fits = typeof value === 'string' && value.trim() !== '' && value.length <= ROUND_NAME_CHARS_MAX;
  if (fits && !UNFIT.test(value)) return ok(value);
  return err(`must be one line of 1 to ${ROUND_NAME_CHARS_MAX} characters`);
}

function readCurrency(value: unknown): Result<string, string> {
  return isCurrency(value) ? ok(value) : err('must be an ISO 4217 code such as GBP');
}

function readAmount(value: unknown): Result<number, string> {
  return isAmount(value) ? ok(value) : err('must be an integer of minor units from 1 to 2^53-1');
}

function readTime(value: unknown): Result<number | null, string> {
  if (value === null) return ok(null);
  const timeMs = typeof value === 'string' ? parseRfc3339Ms(value) : null;
  return timeMs === null ? err('must be null or an RFC 3339 time such as 2026-11-23T10:00:00Z') : ok(timeMs);
}

function readUnknownBalance(value: unknown): Result<'refuse' | 'allow', string> {
  return value === 'refuse' || value === 'allow' ? ok(value) : err('must be "refuse" or "allow"');
}
