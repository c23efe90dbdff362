// GET /problems/{code}: the page that the `type` of a problem resolves to. What it means, and what to do.

import { PROBLEMS, type ProblemCode } from '../core/problem.js';
import { escapeHtml } from './html.js';

export const PROBLEM_PAGE_CONTENT_TYPE = 'text/html; charset=utf-8';

type Advice = 'again' | 'later' | 'mend' | 'new-key' | 'final' | 'contact';

const ADVICE: Readonly<Record<Advice, string>> = {
  again:
    'Send the same request with the same <code>Idempotency-Key</code> after the time in <code>Retry-After</code>. ' +
    'Until you have an answer the outcome is unknown, not "no".',
  later: 'The same request may succeed later. Nothing stuck to its <code>Idempotency-Key</code>.',
  mend: 'Mend the request, then send it again. Nothing stuck to its <code>Idempotency-Key</code>.',
  'new-key': 'The first answer to this key stands. For another investment take another key.',
  final:
    'This verdict sticks to its <code>Idempotency-Key</code>: the same key gets the same answer again. ' +
    'A new attempt needs a new key.',
  contact: 'Sending it again does not help. Ask whoever gave you this address or this token.',
};

const ADVICE_BY_CODE: Readonly<Record<ProblemCode, Advice>> = {
  'not-found': 'mend',
  'method-not-allowed': 'mend',
  'body-too-large': 'mend',
  'unsupported-media-type': 'mend',
  'headers-too-large': 'mend',
  overloaded: 'again',
  draining: 'again',
  'not-durable': 'again',
  fenced: 'again',
  unauthenticated: 'mend',
  forbidden: 'contact',
  'origin-not-allowed': 'contact',
  'too-many-requests': 'later',
  'malformed-request': 'mend',
  'round-not-found': 'mend',
  'idempotency-key-reused': 'new-key',
  'currency-mismatch': 'mend',
  'amount-below-minimum': 'mend',
  'amount-above-maximum': 'mend',
  'round-not-open': 'later',
  'round-paused': 'later',
  'round-closed': 'contact',
  'not-eligible': 'final',
  'already-invested': 'final',
  'insufficient-balance': 'final',
  'round-full': 'final',
  internal: 'again',
  'round-exists': 'mend',
  'wrong-state': 'mend',
  'cap-below': 'mend',
  'rounds-exhausted': 'contact',
  'transfer-conflict': 'mend',
  'account-not-found': 'mend',
  'investor-not-found': 'mend',
};

/** The page of a problem code, or undefined if there is no such code. */
export function problemPage(code: string): string | undefined {
  return isProblemCode(code) ? render(code) : undefined;
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(PROBLEMS, code);
}

function render(code: ProblemCode): string {
  const { status, title, explanation } = PROBLEMS[code];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} (${status}) - openbell</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
code { font-family: ui-monospace, monospace; }
.status { opacity: 0.7; }
</style>
</head>
<body>
<p class="status">HTTP ${status} &middot; <code>${code}</code></p>
<h1>${escapeHtml(title)}</h1>
<h2>What it means</h2>
<p>${escapeHtml(explanation)}</p>
<h2>What to do</h2>
<p>${ADVICE[ADVICE_BY_CODE[code]]}</p>
</body>
</html>
`;
}
