// Every way the outside can be told no, in one table: RFC 9457 problem details with a stable `code`.

export type ProblemCode =
  | 'not-found'
  | 'method-not-allowed'
  | 'body-too-large'
  | 'unsupported-media-type'
  | 'headers-too-large'
  | 'overloaded'
  | 'draining'
  | 'not-durable'
  | 'fenced'
  | 'unauthenticated'
  | 'forbidden'
  | 'origin-not-allowed'
  | 'too-many-requests'
  | 'malformed-request'
  | 'round-not-found'
  | 'idempotency-key-reused'
  | 'currency-mismatch'
  | 'amount-below-minimum'
  | 'amount-above-maximum'
  | 'round-not-open'
  | 'round-paused'
  | 'round-closed'
  | 'not-eligible'
  | 'already-invested'
  | 'insufficient-balance'
  | 'round-full'
  | 'internal'
  | 'round-exists'
  | 'wrong-state'
  | 'cap-below'
  | 'rounds-exhausted'
  | 'transfer-conflict'
  | 'account-not-found'
  | 'investor-not-found';

export interface Problem {
  readonly code: ProblemCode;
  /** One sentence about this occurrence; the title's explanation when absent. */
  readonly detail?: string;
  /** Extension members of RFC 9457, such as `pointer` or `remaining`. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Seconds for the Retry-After header. */
  readonly retryAfterS?: number;
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** What it means and what to do; shown on the page that `type` resolves to. */
  readonly explanation: string;
}

const kind = (status: number, title: string, explanation: string): ProblemKind => ({
  status,
  title,
  explanation,
});

export const PROBLEMS: Readonly<Record<ProblemCode, ProblemKind>> = {
  'not-found': kind(404, 'Not found', 'There is nothing at this address for this caller. Check the path.'),
  'method-not-allowed': kind(
    405,
    'Method not allowed',
    'This address exists, but not for this method. The Allow header lists those that work.',
  ),
  'body-too-large': kind(
    413,
    'Body too large',
    'The request body is larger than this address accepts. The connection is closed.',
  ),
  'unsupported-media-type': kind(
    415,
    'Unsupported media type',
    'Send Content-Type: application/json or application/msgpack.',
  ),
  'headers-too-large': kind(
    431,
    'Headers too large',
    'The request headers, usually the bearer token, are larger than the limit.',
  ),
  overloaded: kind(
    503,
    'Overloaded',
    'A bounded queue is full. Nothing was decided: ask again with the same key after the time in Retry-After.',
  ),
  draining: kind(503, 'Draining', 'This node is stopping in order. Ask again with the same key.'),
  'not-durable': kind(
    503,
    'Not durable',
    'The journal cannot be written, so nothing is admitted. The outcome of a request in flight is unknown: ask again with the same key.',
  ),
  fenced: kind(
    503,
    'Fenced',
    'This node has lost its lease and admits nothing. Ask again with the same key.',
  ),
  unauthenticated: kind(
    401,
    'Unauthenticated',
    'A valid bearer token is needed: signed, with exp and sub, for this audience and issuer.',
  ),
  forbidden: kind(403, 'Forbidden', 'The token does not carry the scope that this address needs.'),
  'origin-not-allowed': kind(
    403,
    'Origin not allowed',
    'Browsers may connect only from a configured origin.',
  ),
  'too-many-requests': kind(
    429,
    'Too many requests',
    'This investor sends faster than the limit. Ask again after the time in Retry-After.',
  ),
  'malformed-request': kind(
    400,
    'Malformed request',
    'The request is not what the interface describes; `pointer` names the member to mend.',
  ),
  'round-not-found': kind(404, 'Round not found', 'There is no round with this id.'),
  'idempotency-key-reused': kind(
    422,
    'Idempotency key reused',
    'This key was used before with another body. Use a new key for a new investment.',
  ),
  'currency-mismatch': kind(422, 'Currency mismatch', 'The round takes another currency.'),
  'amount-below-minimum': kind(
    422,
    'Amount below minimum',
    'The amount is smaller than the least that one investment may be.',
  ),
  'amount-above-maximum': kind(
    422,
    'Amount above maximum',
    'The amount is larger than the most that one investment may be.',
  ),
  'round-not-open': kind(409, 'Round not open', 'The round has not opened yet.'),
  'round-paused': kind(409, 'Round paused', 'The round is paused. It may go on.'),
  'round-closed': kind(409, 'Round closed', 'The round is closed and takes no more investments.'),
  'not-eligible': kind(403, 'Not eligible', 'This investor may not invest in this round.'),
  'already-invested': kind(
    409,
    'Already invested',
    'This investor has a live investment in this round; `investment` is its id.',
  ),
  'insufficient-balance': kind(422, 'Insufficient balance', 'The balance does not cover this amount.'),
  'round-full': kind(
    409,
    'Round full',
    'There is no room left for this amount; `remaining` is the room at that moment.',
  ),
  internal: kind(
    500,
    'Internal error',
    'Something failed inside. The outcome is unknown: ask again with the same key.',
  ),
  'round-exists': kind(409, 'Round exists', 'A round with this id exists already.'),
  'wrong-state': kind(409, 'Wrong state', 'The round is not in a state from which this change is possible.'),
  'cap-below': kind(422, 'Cap below', 'A cap can only be raised.'),
  'rounds-exhausted': kind(422, 'Rounds exhausted', 'This node holds as many rounds as it can.'),
  'transfer-conflict': kind(409, 'Transfer conflict', 'This transfer id was used before with another body.'),
  'account-not-found': kind(404, 'Account not found', 'There is no such account.'),
  'investor-not-found': kind(404, 'Investor not found', 'There is no such investor in the cache.'),
};

/** Told by a node that may not be the owner any more; long enough for another to have taken over. */
export const FENCED: Problem = { code: 'fenced', retryAfterS: 5 };

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** The problem+json object: `type`, `title`, `status`, `detail`, `code`, then the extension members. */
export function problemObject(problem: Problem): Record<string, unknown> {
  const { status, title, explanation } = PROBLEMS[problem.code];
  return {
    type: `/problems/${problem.code}`,
    title,
    status,
    detail: problem.detail ?? explanation,
    code: problem.code,
    ...problem.members,
  };
}
