// Reads the OpenAPI document in tests: walks it, follows its references, and checks values against its schemas.

import assert from 'node:assert/strict';
import { openapiJson } from './openapi.js';

// biome-ignore lint/suspicious/noExplicitAny: the document is walked as what it is, JSON
export type Any = any;

export const document: Any = JSON.parse(openapiJson('1.2.3'));

interface Place {
  readonly path: string;
  readonly value: Any;
}

/** Every object and array of the document, with where it is. */
export function* walk(value: Any, path = '#'): Generator<Place> {
  if (typeof value !== 'object' || value === null) return;
  yield { path, value };
  for (const [name, member] of Object.entries(value)) yield* walk(member, `${path}/${name}`);
}

/** What a `#/…` pointer names. */
export function resolve(pointer: string): Any {
  assert.ok(pointer.startsWith('#/'), pointer);
  return pointer
    .slice(2)
    .split('/')
    .reduce((at: Any, name) => at?.[name], document);
}

/** What a reference stands for. */
export const follow = (value: Any): Any => (value?.$ref === undefined ? value : follow(resolve(value.$ref)));

/** As much of JSON Schema as the document uses. Answers what is wrong, or null. */
export function mismatch(schema: Any, value: Any, at = ''): string | null {
  const s = follow(schema);
  if (s.oneOf !== undefined) {
    const fitting = s.oneOf.filter((option: Any) => mismatch(option, value, at) === null);
    return fitting.length === 1 ? null : `${at}: ${fitting.length} of the options fit`;
  }
  if ('const' in s && s.const !== value) return `${at}: is not ${s.const}`;
  if (s.enum !== undefined && !s.enum.includes(value)) return `${at}: is none of ${s.enum}`;
  const types = s.type === undefined ? [] : [s.type].flat();
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const fits = (wanted: string) => wanted === type || (wanted === 'integer' && Number.isInteger(value));
  if (types.length > 0 && !types.some(fits)) return `${at}: is ${type}, not ${types}`;
  if (typeof value === 'number' && (value < (s.minimum ?? value) || value > (s.maximum ?? value)))
    return `${at}: range`;
  if (typeof value === 'string') {
    if (s.pattern !== undefined && !new RegExp(s.pattern, 'u').test(value))
      return `${at}: pattern ${s.pattern}`;
    if (value.length < (s.minLength ?? 0) || value.length > (s.maxLength ?? value.length))
      return `${at}: length`;
    if (s.format === 'date-time' && new Date(value).toISOString() !== value) return `${at}: time`;
  }
  if (type === 'array') {
    if (value.length > (s.maxItems ?? value.length)) return `${at}: too many`;
    return (
      value
        .map((item: Any, i: number) => mismatch(s.items, item, `${at}/${i}`))
        .find((m: Any) => m !== null) ?? null
    );
  }
  if (type !== 'object') return null;
  for (const name of s.required ?? []) if (!Object.hasOwn(value, name)) return `${at}: ${name} is missing`;
  for (const [name, member] of Object.entries(value)) {
    const property = s.properties?.[name];
    if (property === undefined) {
      if (s.additionalProperties === false) return `${at}: ${name} is unknown`;
      continue;
    }
    const wrong = mismatch(property, member, `${at}/${name}`);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Fails unless the value, as JSON, is what the schema of this name says. */
export const assertFits = (schema: string, value: unknown): void =>
  assert.equal(mismatch({ $ref: `#/components/schemas/${schema}` }, JSON.parse(JSON.stringify(value))), null);
