// GET /openapi.json: the public port as an OpenAPI 3.1 document. Exact, so that clients can be generated from it and a
// fuzzer can hold the node to it: an answer that is not in here is a fault of one of the two.

import { ID_CHARS_MAX, IDEMPOTENCY_KEY_BYTES_MAX } from '../core/limits.js';
import { PROBLEMS } from '../core/problem.js';
import {
  DOCUMENT,
  GET_INVESTMENT,
  GET_ROUND,
  INVEST,
  LIST_INVESTMENTS,
  LIST_ROUNDS,
  LIVE,
  PROBLEM_PAGE,
} from './openapi-operations.js';
import { RESPONSES } from './openapi-responses.js';
import { type Json, ref, SCHEMAS } from './openapi-schemas.js';

/** The document as JSON text. */
export function openapiJson(version: string): string {
  return JSON.stringify(openapiDocument(version));
}

export function openapiDocument(version: string): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'openbell',
      version,
      summary: 'Admits investments into capped rounds, first come first served.',
      description:
        'A 201 is durable before it is sent. A timeout, a dropped connection or a 5xx means unknown, never "no": ' +
        'the same Idempotency-Key asks again and gets the truth. Checks are made in the order of the statuses ' +
        '404 405 413 415 431, 503, 401, 429, 400, 404, 422, 409, 403, 409, 422, 409.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [{ name: 'investments' }, { name: 'rounds' }, { name: 'about' }],
    paths: {
      '/v1/rounds': { get: LIST_ROUNDS },
      '/v1/rounds/{round}': { parameters: [ref('parameters', 'round')], get: GET_ROUND },
      '/v1/rounds/{round}/investments': {
        parameters: [ref('parameters', 'round')],
        get: LIST_INVESTMENTS,
        post: INVEST,
      },
      '/v1/rounds/{round}/investments/{id}': {
        parameters: [ref('parameters', 'round'), ref('parameters', 'id')],
        get: GET_INVESTMENT,
      },
      '/v1/rounds/{round}/live': { parameters: [ref('parameters', 'round')], get: LIVE },
      '/problems/{code}': { parameters: [ref('parameters', 'code')], get: PROBLEM_PAGE },
      '/openapi.json': { get: DOCUMENT },
    },
    components: {
      schemas: SCHEMAS,
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: RESPONSES,
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: '`sub` is the investor and `exp` is required. HS256, or EdDSA, ES256, RS256 by JWKS.',
        },
      },
    },
  };
}

const PARAMETERS: Json = {
  round: {
    name: 'round',
    in: 'path',
    required: true,
    schema: ref('schemas', 'RoundId'),
    description: 'The round.',
  },
  id: {
    name: 'id',
    in: 'path',
    required: true,
    schema: { type: 'string', minLength: 1, maxLength: ID_CHARS_MAX },
    description: 'The id of an investment, as its 201 said.',
  },
  code: {
    name: 'code',
    in: 'path',
    required: true,
    schema: { type: 'string', enum: Object.keys(PROBLEMS) },
    description: 'The code of a problem.',
  },
  idempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    required: true,
    schema: {
      type: 'string',
      pattern: `^([A-Za-z0-9_-]{1,${IDEMPOTENCY_KEY_BYTES_MAX}}|"[A-Za-z0-9_-]{1,${IDEMPOTENCY_KEY_BYTES_MAX}}")$`,
    },
    description:
      'One per intended investment, bare or quoted. Per round and investor, for the life of the round.',
    examples: { bare: { value: 'order-2026-0001' }, quoted: { value: '"order-2026-0001"' } },
  },
};

const HEADERS: Json = {
  Location: { required: true, schema: { type: 'string' }, description: 'The investment.' },
  Allow: { required: true, schema: { type: 'string' }, description: 'The methods that work here.' },
  WWWAuthenticate: { required: true, schema: { type: 'string' }, description: 'Bearer.' },
  RetryAfter: { required: true, schema: { type: 'integer', minimum: 1 }, description: 'Seconds.' },
  RetryAfterNotOpen: {
    schema: { type: 'integer', minimum: 1 },
    description: 'Seconds; with round-not-open and round-paused.',
  },
  Replayed: {
    schema: { type: 'string', const: 'true' },
    description: 'Present when this is the first answer to this key, again.',
  },
};
