// The schemas of the public port's OpenAPI document: JSON Schema 2020-12, as exact as the answers are.

import {
  ID_CHARS_MAX,
  IDEMPOTENCY_KEY_BYTES_MAX,
  INVESTOR_BYTES_MAX,
  LIST_ITEMS_MAX,
  ROUNDS_MAX,
} from '../core/limits.js';
import { DECLINE_REASONS } from '../core/messages.js';
import { AMOUNT_MINOR_MAX } from '../core/money.js';
import { PROBLEMS, type ProblemCode } from '../core/problem.js';

export type Json = Readonly<Record<string, unknown>>;

/** The codes that the public port may answer with, in the order in which they are checked. */
export const PUBLIC_PROBLEM_CODES: readonly ProblemCode[] = [
  'not-found',
  'method-not-allowed',
  'body-too-large',
  'unsupported-media-type',
  'headers-too-large',
  'overloaded',
  'draining',
  'not-durable',
  'fenced',
  'unauthenticated',
  'origin-not-allowed',
  'too-many-requests',
  'malformed-request',
  'round-not-found',
  'idempotency-key-reused',
  'currency-mismatch',
  'amount-below-minimum',
  'amount-above-maximum',
  'round-not-open',
  'round-paused',
  'round-closed',
  'not-eligible',
  'already-invested',
  'insufficient-balance',
  'round-full',
  'internal',
];

export const ref = (kind: 'schemas' | 'responses' | 'parameters' | 'headers', name: string): Json => ({
  $ref: `#/components/${kind}/${name}`,
});

export const schemaOf = (code: ProblemCode): string => `Problem-${code}`;

const text = (description: string): Json => ({ type: 'string', description });
const instant = (description: string): Json => ({ type: 'string', format: 'date-time', description });
const instantOrNull = (description: string): Json => ({
  type: ['string', 'null'],
  format: 'date-time',
  description,
});
const count = (description: string): Json => ({
  type: 'integer',
  minimum: 0,
  maximum: AMOUNT_MINOR_MAX,
  description,
});
const money = (description: string): Json => count(`${description}, in minor units.`);
const id = (description: string): Json => ({
  type: 'string',
  minLength: 1,
  maxLength: ID_CHARS_MAX,
  description,
});

const AMOUNT: Json = {
  type: 'integer',
  minimum: 1,
  maximum: AMOUNT_MINOR_MAX,
  description: 'Minor units of the currency, such as pence. Never a float.',
  examples: [50_000],
};
const CURRENCY: Json = {
  type: 'string',
  pattern: '^[A-Z]{3}$',
  description: 'ISO 4217.',
  examples: ['GBP'],
};

/** An object whose members are all required, but those named, and which has no others. */
function closed(properties: Json, optional: readonly string[] = [], more: Json = {}): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', ...more, properties, required, additionalProperties: false };
}

const ROUND_ID: Json = { type: 'string', pattern: '^[a-z0-9-]{1,40}$', examples: ['crowd'] };

const INVESTMENT_HEAD: Json = {
  id: id('Opaque.'),
  round: ref('schemas', 'RoundId'),
  investor: {
    type: 'string',
    pattern: `^[!-~]{1,${INVESTOR_BYTES_MAX}}$`,
    description: 'The `sub` of the token.',
  },
  amount: AMOUNT,
  currency: CURRENCY,
};
const SEQUENCE: Json = {
  ...count('Place in the journal: the order of first come, first served.'),
  minimum: 1,
};

const investment = (state: string, steps: Json): Json =>
  closed({ ...INVESTMENT_HEAD, state: { const: state }, sequence: SEQUENCE, ...steps });

const ACCEPTED_AT = instant('When the verdict was durable room under the cap.');

const ROUND: Json = {
  id: ref('schemas', 'RoundId'),
  name: text('For people.'),
  currency: CURRENCY,
  cap: { ...AMOUNT, description: 'What the round takes in all, in minor units.' },
  minimum: { ...AMOUNT, description: 'The least that one investment may be, in minor units.' },
  maximum: { ...AMOUNT, description: 'The most that one investment may be, in minor units.' },
  state: {
    enum: ['scheduled', 'open', 'paused', 'full', 'closed'],
    description: '`full` is a state of the moment: a release or a raised cap makes the round `open` again.',
  },
  opensAt: instantOrNull('Null: opened by hand.'),
  closesAt: instantOrNull('Null: closed by hand.'),
  admitted: money('Sum of what is admitted and not declined'),
  remaining: money('Room that is left'),
  investors: count('Live investments.'),
  settled: money('Sum of what the ledger has settled'),
  sequence: count('Newest durable place in the journal.'),
  serverTime: instant('When this was true; at most 100 ms ago.'),
};

/** Extension members by code; every problem of the code has them. */
const MEMBERS: Readonly<Partial<Record<ProblemCode, Json>>> = {
  'malformed-request': {
    pointer: {
      type: 'string',
      pattern: '^(/([^/~]|~[01])*)*$',
      description: 'JSON Pointer of the member to mend; empty for a header or the body as a whole.',
    },
  },
  'amount-below-minimum': { minimum: AMOUNT },
  'amount-above-maximum': { maximum: AMOUNT },
  'round-not-open': { opensAt: instantOrNull('Null: opened by hand.') },
  'round-paused': { opensAt: instantOrNull('As the round has it.') },
  'already-invested': { investment: id('The live investment.') },
  'round-full': { remaining: money('Room at that moment') },
};

function problemSchema(code: ProblemCode): Json {
  const { status, title, explanation } = PROBLEMS[code];
  const properties: Json = {
    type: { const: `/problems/${code}` },
    title: { const: title },
    status: { const: status },
    detail: text('About this occurrence.'),
    code: { const: code },
    ...MEMBERS[code],
  };
  return closed(properties, [], { title, description: explanation });
}

const LIVE_PROBLEM: Json = {
  type: 'object',
  description: 'The problem of the HTTP answer, with what HTTP says in the Retry-After header as a member.',
  properties: {
    type: text('/problems/{code}'),
    title: text('The same for every occurrence.'),
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: text('About this occurrence.'),
    code: { enum: PUBLIC_PROBLEM_CODES },
    retryAfter: { type: 'integer', minimum: 1, description: 'Seconds.' },
  },
  required: ['type', 'title', 'status', 'detail', 'code'],
};

const KEY: Json = {
  type: 'string',
  pattern: `^[A-Za-z0-9_-]{1,${IDEMPOTENCY_KEY_BYTES_MAX}}$`,
  description: 'As the Idempotency-Key header.',
};
const INVESTMENTS: Json = { type: 'array', items: ref('schemas', 'Investment'), maxItems: LIST_ITEMS_MAX };

const LIVE: Json = {
  LiveClientMessage: {
    oneOf: [
      closed({
        type: { const: 'auth' },
        token: text('A bearer token; the connection speaks for its subject.'),
      }),
      closed(
        {
          type: { const: 'invest' },
          key: KEY,
          amount: AMOUNT,
          currency: CURRENCY,
          token: text('For a gateway that speaks for many; without it the connection speaks.'),
        },
        ['token'],
      ),
    ],
  },
  LiveServerMessage: {
    oneOf: [
      closed(
        {
          type: { const: 'welcome' },
          investor: text('Absent until a token was presented.'),
          investments: INVESTMENTS,
          round: ref('schemas', 'Round'),
        },
        ['investor'],
      ),
      closed(
        {
          type: { const: 'verdict' },
          key: KEY,
          status: { type: 'integer', description: 'The status of the HTTP answer.' },
          replayed: { type: 'boolean' },
          investment: ref('schemas', 'AcceptedInvestment'),
          problem: ref('schemas', 'LiveProblem'),
        },
        ['investment', 'problem'],
        { description: 'Either `investment` or `problem`.' },
      ),
      closed({ type: { const: 'round' }, ...ROUND }),
      closed({ type: { const: 'outcome' }, investment: ref('schemas', 'Investment') }),
      closed({ type: { const: 'problem' }, key: KEY, problem: ref('schemas', 'LiveProblem') }, ['key']),
    ],
  },
  LiveProblem: LIVE_PROBLEM,
};

export const SCHEMAS: Json = {
  RoundId: ROUND_ID,
  Round: closed(ROUND),
  RoundList: closed({ rounds: { type: 'array', items: ref('schemas', 'Round'), maxItems: ROUNDS_MAX } }),
  NewInvestment: closed({ amount: AMOUNT, currency: CURRENCY }),
  AcceptedInvestment: investment('accepted', { acceptedAt: ACCEPTED_AT }),
  SettledInvestment: investment('settled', {
    acceptedAt: ACCEPTED_AT,
    settledAt: instant('When the money had moved.'),
  }),
  DeclinedInvestment: investment('declined', {
    acceptedAt: ACCEPTED_AT,
    declinedAt: instant('When the room was given back.'),
    reason: { enum: DECLINE_REASONS },
  }),
  RejectedInvestment: investment('rejected', {
    reason: { enum: ['not-eligible', 'already-invested', 'insufficient-balance', 'round-full'] },
    rejectedAt: instant('When this was decided.'),
  }),
  Investment: {
    oneOf: ['Accepted', 'Settled', 'Declined', 'Rejected'].map((state) =>
      ref('schemas', `${state}Investment`),
    ),
    discriminator: {
      propertyName: 'state',
      mapping: Object.fromEntries(
        ['accepted', 'settled', 'declined', 'rejected'].map((state) => [
          state,
          `#/components/schemas/${state[0]?.toUpperCase()}${state.slice(1)}Investment`,
        ]),
      ),
    },
  },
  InvestmentList: closed({ investments: INVESTMENTS }),
  ...Object.fromEntries(PUBLIC_PROBLEM_CODES.map((code) => [schemaOf(code), problemSchema(code)])),
  ...LIVE,
};
