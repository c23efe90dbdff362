// Bodies and messages in the two formats of the interface.

import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, structuredClone: false, int64AsType: 'number' } as object);

/** Standard msgpack bytes of a plain value. */
export function encodeMsgpack(value: unknown): Buffer {
  return packr.pack(value);
}

/** The value, or undefined if the bytes are not of this format. */
export function decodeBody(body: Buffer, msgpack: boolean): unknown {
  try {
    return msgpack ? packr.unpack(body) : JSON.parse(body.utf8Slice(0, body.length));
  } catch {
    return undefined;
  }
}
