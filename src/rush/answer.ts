// One answer of the node, the same whether it came over HTTP or over a WebSocket.

export interface Answer {
  readonly status: number;
  /** `accepted`, or the problem's code, or `unreadable`. */
  readonly code: string;
  readonly replayed: boolean;
  /** Id of the investment: the accepted one, or the live one that `already-invested` names. */
  readonly id: string | undefined;
  /** The room that a `round-full` states; NaN when absent. */
  readonly remaining: number;
}

/** Verdicts that stick to their key for the life of the round. */
export const STICKY_CODES: ReadonlySet<string> = new Set([
  'accepted',
  'not-eligible',
  'already-invested',
  'insufficient-balance',
  'round-full',
]);

/** Other answers that a correct client may meet. Every code in neither set is an error of the tool or of the node. */
export const EXPECTED_CODES: ReadonlySet<string> = new Set([
  ...STICKY_CODES,
  'round-not-open',
  'round-paused',
  'round-closed',
  'too-many-requests',
]);

const UNREADABLE = 'unreadable';
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The answer from its status and its decoded body: an investment, or a problem object. */
export function readAnswer(status: number, replayed: boolean, body: unknown): Answer {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (status === 201 || status === 200) {
    const id = textOf(fields.id);
    const code = id === undefined || status === 200 ? UNREADABLE : 'accepted';
    return { status, code, replayed, id, remaining: Number.NaN };
  }
  const { remaining } = fields;
  return {
    status,
    code: textOf(fields.code) ?? UNREADABLE,
    replayed,
    id: textOf(fields.investment),
    remaining: typeof remaining === 'number' ? remaining : Number.NaN,
  };
}

/** True if two answers to one key are the same verdict. */
export function sameVerdict(a: Answer, b: Answer): boolean {
  return a.status === b.status && a.code === b.code && a.id === b.id && Object.is(a.remaining, b.remaining);
}

/** What an answer says, for a message to people. */
export function describeAnswer(answer: Answer): string {
  return `${answer.status} ${answer.code}${answer.id === undefined ? '' : ` ${answer.id}`}`;
}
