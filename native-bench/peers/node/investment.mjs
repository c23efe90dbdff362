// What is asked: the key and the body of an investment, read strictly, and what their form alone refuses.

import { settings } from './settings.mjs';

const KEY = /^[A-Za-z0-9_-]{1,64}$/;
const AMOUNT_FIRST = /^\s*\{\s*"amount"\s*:\s*([1-9]\d{0,14})\s*,\s*"currency"\s*:\s*"([A-Z]{3})"\s*\}\s*$/;
const CURRENCY = /^[A-Z]{3}$/;
const INTEGER = /^-?(0|[1-9]\d*)$/;
/** One member of a flat object whose text is known to be JSON: name, then a string or anything else without a comma. */
const MEMBER = /("(?:[^"\\]|\\.)*")\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,{}[\]]+)/g;

/** The key of an Idempotency-Key header, bare or quoted; null when it is missing or not one. */
export function readKey(header) {
  if (header === undefined) return null;
  const isQuoted = header.length >= 2 && header.startsWith('"') && header.endsWith('"');
  const key = isQuoted ? header.slice(1, -1) : header;
  return KEY.test(key) ? key : null;
}

/** `{amount, currency}`, or `{pointer}`: the member that is wrong. */
export function readBody(text) {
  const usual = AMOUNT_FIRST.exec(text);
  if (usual !== null) return { amount: Number.parseInt(usual[1], 10), currency: usual[2] };
  return readSlowly(text);
}

function readSlowly(text) {
  let whole;
  try {
    whole = JSON.parse(text);
  } catch {
    return { pointer: '' };
  }
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return { pointer: '' };
  for (const name of Object.keys(whole)) {
    if (name !== 'amount' && name !== 'currency') {
      return { pointer: `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}` };
    }
  }
  const { amount, currency } = whole;
  if (!Number.isSafeInteger(amount) || amount <= 0) return { pointer: '/amount' };
  if (typeof currency !== 'string' || !CURRENCY.test(currency)) return { pointer: '/currency' };
  // JSON.parse takes the last of two members, and 1e3 and 1000.0 for integers.
  const seen = new Set();
  for (const [, quoted, source] of text.matchAll(MEMBER)) {
    const name = JSON.parse(quoted);
    if (seen.has(name) || (name === 'amount' && !INTEGER.test(source))) return { pointer: `/${name}` };
    seen.add(name);
  }
  return { amount, currency };
}

/** The problem of a new investment that its terms alone refuse, or null. A key that is known answers before it. */
export function refusalOf(amount, currency) {
  if (currency !== settings.currency) return { code: 'currency-mismatch', members: '' };
  if (amount < settings.minimum) {
    return { code: 'amount-below-minimum', members: `,"minimum":${settings.minimum}` };
  }
  if (amount > settings.maximum) {
    return { code: 'amount-above-maximum', members: `,"maximum":${settings.maximum}` };
  }
  return null;
}
