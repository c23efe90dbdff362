// Reading one JSON object from an admin request: strict, and with a pointer to what is wrong.

import { err, ok, type Result } from '../core/result.js';

export interface BodyMistake {
  readonly detail: string;
  /** JSON Pointer (RFC 6901) of the member; empty for the body itself. */
  readonly pointer: string;
}

/** One member: whether the value will do, and what it must be. */
export interface MemberRule {
  readonly check: (value: unknown) => boolean;
  /** Completes "must be …". */
  readonly expected: string;
  readonly optional?: boolean;
}

/** The object, whose members are exactly those of the rules. */
export function readJsonObject<T>(
  body: Uint8Array,
  rules: Readonly<Record<string, MemberRule>>,
): Result<T, BodyMistake> {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    value = JSON.parse(text);
  } catch {
    return err({ detail: 'The body is not JSON in UTF-8.', pointer: '' });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return err({ detail: 'The body must be a JSON object.', pointer: '' });
  }
  const twice = memberGivenTwice(text);
  if (twice !== null)
    return err({ detail: `Member ${JSON.stringify(twice)} is there twice.`, pointer: pointerTo(twice) });
  const object = value as Record<string, unknown>;
  for (const name of Object.keys(object)) {
    if (!Object.hasOwn(rules, name)) {
      return err({ detail: `There is no member ${JSON.stringify(name)} here.`, pointer: pointerTo(name) });
    }
  }
  for (const [name, rule] of Object.entries(rules)) {
    if (!Object.hasOwn(object, name)) {
      if (rule.optional === true) continue;
      return err({ detail: `Member ${name} is missing.`, pointer: pointerTo(name) });
    }
    if (!rule.check(object[name])) {
      return err({ detail: `Member ${name} must be ${rule.expected}.`, pointer: pointerTo(name) });
    }
  }
  return ok(object as T);
}

/** In JSON, a text before a colon is a name. `JSON.parse` would take the last of two, and a cap can not be lowered again. */
function memberGivenTwice(json: string): string | null {
  const names = new Set<string>();
  let depth = 0;
  for (const [token, colon] of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (colon !== undefined && depth === 1) {
      const name = JSON.parse(token.slice(0, -colon.length)) as string;
      if (names.has(name)) return name;
      names.add(name);
    }
  }
  return null;
}

const pointerTo = (name: string): string => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
