// The operations of the OpenAPI document: one for each route and method of the public port.

import { BODY_BYTES_MAX } from '../core/limits.js';
import { ANYWHERE, FOR_INVESTOR, problems, replayed } from './openapi-responses.js';
import { type Json, ref } from './openapi-schemas.js';

const JSON_TYPE = 'application/json';
const MSGPACK_TYPE = 'application/msgpack';

/** A body in both encodings. */
function both(schema: string, example?: Json): Json {
  const content = { schema: ref('schemas', schema) };
  return { [JSON_TYPE]: example === undefined ? content : { ...content, example }, [MSGPACK_TYPE]: content };
}

const ACCEPTED: Json = {
  id: 'k3v9x2ab-ya',
  round: 'crowd',
  investor: 'alice',
  amount: 50_000,
  currency: 'GBP',
  state: 'accepted',
  sequence: 1_234,
  acceptedAt: '2026-11-23T10:00:00.123Z',
};

const ROUND: Json = {
  id: 'crowd',
  name: 'Crowd 2026',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  state: 'open',
  opensAt: '2026-11-23T10:00:00.000Z',
  closesAt: null,
  admitted: 50_000,
  remaining: 1_999_950_000,
  investors: 1,
  settled: 0,
  sequence: 1_234,
  serverTime: '2026-11-23T10:00:00.250Z',
};

export const INVEST: Json = {
  operationId: 'invest',
  tags: ['investments'],
  summary: 'Invests. The answer is durable before it is sent.',
  description:
    'The same key and body get the first answer again, with Idempotency-Replayed. Verdicts about the investment stick ' +
    'to their key (accepted, not-eligible, already-invested, insufficient-balance, round-full); nothing else does. ' +
    'The answer comes in the type that was sent, or in that of Accept; problems are always JSON.',
  security: [{ bearer: [] }],
  parameters: [ref('parameters', 'idempotencyKey')],
  requestBody: {
    required: true,
    description: `At most ${BODY_BYTES_MAX} bytes.`,
    content: both('NewInvestment', { amount: 50_000, currency: 'GBP' }),
  },
  responses: {
    201: {
      description: 'Accepted: room under the cap, durably.',
      headers: { Location: ref('headers', 'Location'), ...replayed },
      content: both('AcceptedInvestment', ACCEPTED),
      links: {
        read: {
          operationId: 'getInvestment',
          parameters: { round: '$response.body#/round', id: '$response.body#/id' },
          description: 'What became of it.',
        },
      },
    },
    400: problems(['malformed-request']),
    403: problems(['not-eligible'], replayed),
    404: ref('responses', 'NotFound'),
    409: problems(['round-not-open', 'round-paused', 'round-closed', 'already-invested', 'round-full'], {
      'Retry-After': ref('headers', 'RetryAfterNotOpen'),
      ...replayed,
    }),
    413: problems(['body-too-large']),
    415: problems(['unsupported-media-type']),
    422: problems(
      [
        'idempotency-key-reused',
        'currency-mismatch',
        'amount-below-minimum',
        'amount-above-maximum',
        'insufficient-balance',
      ],
      replayed,
    ),
    ...FOR_INVESTOR,
  },
};

export const LIST_INVESTMENTS: Json = {
  operationId: 'listInvestments',
  tags: ['investments'],
  summary: "The caller's own investments in this round, newest first, rejected ones too.",
  security: [{ bearer: [] }],
  responses: {
    200: { description: 'The newest of them.', content: both('InvestmentList', { investments: [ACCEPTED] }) },
    404: ref('responses', 'NotFound'),
    ...FOR_INVESTOR,
  },
};

export const GET_INVESTMENT: Json = {
  operationId: 'getInvestment',
  tags: ['investments'],
  summary: "One of the caller's own investments, with a timestamp per step.",
  security: [{ bearer: [] }],
  responses: {
    200: { description: 'The investment as it is now.', content: both('Investment', ACCEPTED) },
    404: ref('responses', 'NotFound'),
    ...FOR_INVESTOR,
  },
};

export const LIST_ROUNDS: Json = {
  operationId: 'listRounds',
  tags: ['rounds'],
  summary: 'All rounds, at most 100 ms old.',
  security: [],
  responses: {
    200: { description: 'The rounds.', content: both('RoundList', { rounds: [ROUND] }) },
    ...ANYWHERE,
  },
};

export const GET_ROUND: Json = {
  operationId: 'getRound',
  tags: ['rounds'],
  summary: 'One round, at most 100 ms old.',
  security: [],
  responses: {
    200: { description: 'The round.', content: both('Round', ROUND) },
    404: ref('responses', 'NotFound'),
    ...ANYWHERE,
  },
};

export const LIVE: Json = {
  operationId: 'live',
  tags: ['rounds', 'investments'],
  summary: 'Upgrades to a WebSocket: progress of the round, investing, verdicts and outcomes.',
  description:
    'Messages are LiveClientMessage and LiveServerMessage, as JSON in text frames or as MessagePack in binary frames, ' +
    'by subprotocol. Anyone may watch. To invest, present the token in the Authorization header or in an `auth` ' +
    'message. Browser origins are checked against a configured list. Closed with 1007 for undecodable frames, 1008 ' +
    'for repeated nonsense, 1009 for a frame that is too long, 1013 for a reader that is too slow.',
  security: [{}, { bearer: [] }],
  parameters: [
    {
      name: 'Sec-WebSocket-Protocol',
      in: 'header',
      schema: { type: 'string', enum: ['openbell.v1+json', 'openbell.v1+msgpack'] },
      description: 'JSON without it.',
    },
  ],
  responses: {
    101: { description: 'The connection speaks WebSocket from now on.' },
    400: problems(['malformed-request']),
    403: problems(['origin-not-allowed']),
    404: ref('responses', 'NotFound'),
    ...FOR_INVESTOR,
  },
  'x-messages': {
    client: ref('schemas', 'LiveClientMessage'),
    server: ref('schemas', 'LiveServerMessage'),
  },
};

export const PROBLEM_PAGE: Json = {
  operationId: 'problemPage',
  tags: ['about'],
  summary: 'What a problem means and what to do: the page that its `type` resolves to.',
  security: [],
  responses: {
    200: { description: 'A short page.', content: { 'text/html': { schema: { type: 'string' } } } },
    404: problems(['not-found']),
    ...ANYWHERE,
  },
};

export const DOCUMENT: Json = {
  operationId: 'openapi',
  tags: ['about'],
  summary: 'This document.',
  security: [],
  responses: {
    200: { description: 'OpenAPI 3.1.', content: { [JSON_TYPE]: { schema: { type: 'object' } } } },
    ...ANYWHERE,
  },
};
