// The whole grammar behind the request reader: UTF-8, every form of JSON, members given twice. It serves the bodies
// that are unusual or wrong, so it is written for exact answers, not for speed.

import { err, ok, type Result } from './result.js';

/** Where a body is wrong (JSON Pointer) and why. */
export interface MemberFault {
  readonly pointer: string;
  readonly reason: string;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** JSON Pointer (RFC 6901) of a top-level member. */
export function memberPointer(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** A number as its source text shows it: JSON.parse would make 1.0 and 1e3 look like integers. */
const INTEGER = /^-?(0|[1-9][0-9]*)$/;

/** The top-level members in order; a value is a string, an integer, or null for anything that no member may be. */
export function readMembersSlowly(
  bytes: Uint8Array,
): Result<[string, string | number | null][], MemberFault> {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return err({ pointer: '', reason: 'the body is not UTF-8' });
  }
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    return err({ pointer: '', reason: 'the body is not JSON' });
  }
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) {
    return err({ pointer: '', reason: 'the body must be a JSON object' });
  }
  const members: [string, string | number | null][] = [];
  const seen = new Set<string>();
  for (const [name, source] of topLevelMembers(text)) {
    if (seen.has(name)) return err({ pointer: memberPointer(name), reason: `${name} is given twice` });
    seen.add(name);
    members.push([name, memberValue(source)]);
  }
  return ok(members);
}

function memberValue(source: string): string | number | null {
  if (source.startsWith('"')) return JSON.parse(source) as string;
  return INTEGER.test(source) ? (JSON.parse(source) as number) : null;
}

/** Names and source texts of the members of a JSON object that is known to be valid. */
function* topLevelMembers(text: string): Generator<[string, string]> {
  let depth = 0;
  let name: string | null = null;
  let valueStart = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') {
      const from = at;
      at = stringEnd(text, at);
      if (depth === 1 && name === null) {
        name = JSON.parse(text.slice(from, at + 1)) as string;
        valueStart = text.indexOf(':', at) + 1;
        at = valueStart - 1;
      }
      continue;
    }
    if (char === '{' || char === '[') depth++;
    const ends = (char === ',' && depth === 1) || (char === '}' && depth === 1);
    if (char === '}' || char === ']') depth--;
    if (ends && name !== null) {
      yield [name, text.slice(valueStart, at).trim()];
      name = null;
    }
  }
}

/** Index of the quote that closes the string which opens at `from`. */
function stringEnd(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
