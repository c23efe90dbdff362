// The answers of the OpenAPI document that several addresses share, and how an answer of problem+json is described.

import { PROBLEM_CONTENT_TYPE, PROBLEMS, type ProblemCode, problemObject } from '../core/problem.js';
import { type Json, ref, schemaOf } from './openapi-schemas.js';

const UNAVAILABLE: readonly ProblemCode[] = ['overloaded', 'draining', 'not-durable', 'fenced'];

const retryAfter = { 'Retry-After': ref('headers', 'RetryAfter') };
/** On whatever sticks to a key. */
export const replayed = { 'Idempotency-Replayed': ref('headers', 'Replayed') };

/** An answer of problem+json with one of these codes. */
export function problems(codes: readonly ProblemCode[], headers: Json = {}): Json {
  const schemas = codes.map((code) => ref('schemas', schemaOf(code)));
  const mapping = Object.fromEntries(codes.map((code) => [code, `#/components/schemas/${schemaOf(code)}`]));
  const schema =
    codes.length === 1 ? schemas[0] : { oneOf: schemas, discriminator: { propertyName: 'code', mapping } };
  const examples = Object.fromEntries(codes.map((code) => [code, { value: example(code) }]));
  return {
    description: codes
      .map((code) => `${PROBLEMS[code].title} (\`${code}\`): ${PROBLEMS[code].explanation}`)
      .join('\n\n'),
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    content: { [PROBLEM_CONTENT_TYPE]: { schema, examples } },
  };
}

const EXAMPLE_MEMBERS: Readonly<Partial<Record<ProblemCode, Json>>> = {
  'malformed-request': { pointer: '/amount' },
  'amount-below-minimum': { minimum: 1_000 },
  'amount-above-maximum': { maximum: 200_000 },
  'round-not-open': { opensAt: '2026-11-23T10:00:00.000Z' },
  'round-paused': { opensAt: null },
  'already-invested': { investment: 'k3v9x2ab-ya' },
  'round-full': { remaining: 4_200 },
};

function example(code: ProblemCode): Json {
  return problemObject({ code, members: EXAMPLE_MEMBERS[code] ?? {} });
}

export const RESPONSES: Json = {
  MethodNotAllowed: problems(['method-not-allowed'], { Allow: ref('headers', 'Allow') }),
  HeadersTooLarge: problems(['headers-too-large']),
  Unavailable: problems(UNAVAILABLE, retryAfter),
  Unauthenticated: problems(['unauthenticated'], { 'WWW-Authenticate': ref('headers', 'WWWAuthenticate') }),
  TooManyRequests: problems(['too-many-requests'], retryAfter),
  NotFound: problems(['not-found', 'round-not-found']),
  Internal: problems(['internal']),
};

/** What any address may answer. */
export const ANYWHERE: Json = {
  405: ref('responses', 'MethodNotAllowed'),
  431: ref('responses', 'HeadersTooLarge'),
  500: ref('responses', 'Internal'),
};
/** What an address that asks a shard for an investor may answer. */
export const FOR_INVESTOR: Json = {
  401: ref('responses', 'Unauthenticated'),
  429: ref('responses', 'TooManyRequests'),
  503: ref('responses', 'Unavailable'),
  ...ANYWHERE,
};
