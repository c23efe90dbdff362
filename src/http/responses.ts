// Answers of the admin ports, as values.

import {
  PROBLEM_CONTENT_TYPE,
  PROBLEMS,
  type Problem,
  type ProblemCode,
  problemObject,
} from '../core/problem.js';
import type { AdminResponse } from './admin-routes.js';

/** A JSON answer. */
export function json(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): AdminResponse {
  return { status, contentType: 'application/json', body: JSON.stringify(value), headers };
}

/** Any other content. */
export function content(
  body: string | Uint8Array,
  contentType = 'text/plain; charset=utf-8',
  status = 200,
): AdminResponse {
  return { status, contentType, body };
}

/** RFC 9457, with the headers that belong to the code. */
export function problem(problem: Problem, headers: Readonly<Record<string, string>> = {}): AdminResponse {
  const extra: Record<string, string> = { ...headers };
  if (problem.retryAfterS !== undefined)
    extra['Retry-After'] = String(Math.max(1, Math.ceil(problem.retryAfterS)));
  // RFC 6750, section 3.
  if (problem.code === 'unauthenticated') extra['WWW-Authenticate'] = 'Bearer';
  if (problem.code === 'forbidden') {
    extra['WWW-Authenticate'] = 'Bearer error="insufficient_scope", scope="openbell:admin"';
  }
  return {
    status: PROBLEMS[problem.code].status,
    contentType: PROBLEM_CONTENT_TYPE,
    body: JSON.stringify(problemObject(problem)),
    headers: extra,
  };
}

/** A request that is not what the interface describes; `pointer` is the JSON Pointer of the member to mend. */
export function malformed(detail: string, pointer?: string): AdminResponse {
  return refusal('malformed-request', detail, pointer === undefined ? {} : { pointer });
}

/** A problem from its parts. */
export function refusal(
  code: ProblemCode,
  detail?: string,
  members: Readonly<Record<string, unknown>> = {},
): AdminResponse {
  return problem(detail === undefined ? { code, members } : { code, detail, members });
}
