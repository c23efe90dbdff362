// Turns the flags of `round create` and `round amend` into the admin port's bodies. Every mistake is a usage mistake.

import { isAmount } from '../core/money.js';
import { err, ok, type Result } from '../core/result.js';
import { ROUND_ID_PATTERN } from '../core/round.js';

/** Flags as they were typed. */
export interface DefinitionValues {
  readonly name: string | undefined;
  readonly cap: string | undefined;
  readonly minimum: string | undefined;
  readonly maximum: string | undefined;
  readonly opensAt: string | undefined;
  readonly closesAt: string | undefined;
}

interface CreateValues extends DefinitionValues {
  readonly currency: string | undefined;
  readonly unknownBalance: string | undefined;
}

type Body = Readonly<Record<string, unknown>>;

/** A whole number of minor units, or null: digits only, so that `2e9`, `20.00` and `£20` are all refused. */
function parseMinor(text: string): number | null {
  if (!/^[1-9]\d{0,15}$/.test(text)) return null;
  const amount: unknown = JSON.parse(text);
  return isAmount(amount) ? amount : null;
}

/** The body of POST /admin/v1/rounds. */
export function createBody(id: string, values: CreateValues): Result<Body, string> {
  if (!ROUND_ID_PATTERN.test(id)) return err('ROUND must be 1 to 40 characters of a-z, 0-9 and -');
  if (values.cap === undefined) return err('round create needs --cap, in minor units');
  const members = definitionMembers(values);
  if (!members.ok) return members;
  const { unknownBalance = 'refuse', currency = 'GBP' } = values;
  if (unknownBalance !== 'refuse' && unknownBalance !== 'allow') {
    return err('--unknown-balance must be refuse or allow');
  }
  const cap = members.value['cap'];
  return ok({
    id,
    name: id,
    currency,
    minimum: 1,
    maximum: cap,
    opensAt: null,
    closesAt: null,
    unknownBalance,
    ...members.value,
  });
}

/** The body of PATCH /admin/v1/rounds/{round}: only what was given. */
export function amendBody(values: DefinitionValues): Result<Body, string> {
  const members = definitionMembers(values);
  if (members.ok && Object.keys(members.value).length === 0) {
    return err('nothing to amend: give --name, --cap, --minimum, --maximum, --opens-at or --closes-at');
  }
  return members;
}

function definitionMembers(values: DefinitionValues): Result<Body, string> {
  const members: Record<string, unknown> = {};
  if (values.name !== undefined) members['name'] = values.name;
  for (const name of ['cap', 'minimum', 'maximum'] as const) {
    const text = values[name];
    if (text === undefined) continue;
    const amount = parseMinor(text);
    if (amount === null)
      return err(`--${name} must be a whole number of minor units (2000000000 is £20m), not ${text}`);
    members[name] = amount;
  }
  for (const [name, flag] of [
    ['opensAt', 'opens-at'],
    ['closesAt', 'closes-at'],
  ] as const) {
    const text = values[name];
    if (text === undefined) continue;
    if (text !== 'none' && Number.isNaN(Date.parse(text))) {
      return err(`--${flag} must be a time such as 2026-11-23T10:00:00Z, or none`);
    }
    members[name] = text === 'none' ? null : text;
  }
  return ok(members);
}
