// Which of the two encodings a request comes in, and which one its answer shall have.

export type Encoding = 'json' | 'msgpack';

const JSON_TYPE = 'application/json';
const MSGPACK_TYPE = 'application/msgpack';

/** The encoding that a Content-Type names, parameters aside; null for any other or none. */
export function encodingOf(contentType: string): Encoding | null {
  if (contentType === JSON_TYPE) return 'json';
  if (contentType === MSGPACK_TYPE) return 'msgpack';
  const end = contentType.indexOf(';');
  const type = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  return type === JSON_TYPE ? 'json' : type === MSGPACK_TYPE ? 'msgpack' : null;
}

/**
 * The encoding that an Accept header weighs most (RFC 9110, section 12.5.1): of two alike the one that it names, and first.
 * `otherwise` where it says nothing of either.
 */
export function acceptedEncoding(accept: string, otherwise: Encoding): Encoding {
  if (accept === '' || accept === '*/*') return otherwise;
  if (accept === JSON_TYPE) return 'json';
  if (accept === MSGPACK_TYPE) return 'msgpack';
  let named: Encoding | null = null;
  let json = -1;
  let msgpack = -1;
  let any = 0;
  for (const range of accept.split(',')) {
    const encoding = encodingOf(range);
    if (encoding === 'json') json = Math.max(json, weightOf(range));
    else if (encoding === 'msgpack') msgpack = Math.max(msgpack, weightOf(range));
    else if (ANY_TYPE.test(range)) any = Math.max(any, weightOf(range));
    named ??= encoding;
  }
  if (json < 0) json = any;
  if (msgpack < 0) msgpack = any;
  if (json === msgpack) return json > 0 && named !== null ? named : otherwise;
  return json > msgpack ? 'json' : 'msgpack';
}

const ANY_TYPE = /^\s*(\*|application)\/\*\s*(;|$)/i;

/** The weight of a range of an Accept header, 0 to 1; 1 where it gives none that can be read. */
function weightOf(range: string): number {
  const weight = /;\s*q=([01](\.\d{0,3})?)\s*(;|$)/i.exec(range);
  return weight === null ? 1 : Math.min(1, Number(weight[1]));
}
