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

/** The first of our encodings that an Accept header names, unless it weighs it with zero; else `otherwise`. */
export function acceptedEncoding(accept: string, otherwise: Encoding): Encoding {
  if (accept === '' || accept === '*/*') return otherwise;
  if (accept === JSON_TYPE) return 'json';
  if (accept === MSGPACK_TYPE) return 'msgpack';
  for (const range of accept.split(',')) {
    const encoding = encodingOf(range);
    if (encoding !== null && !/;\s*q=0(\.0*)?\s*$/.test(range)) return encoding;
  }
  return otherwise;
}
