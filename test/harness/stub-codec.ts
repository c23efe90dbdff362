// Messages of the double in either format.

import { pack, unpack } from 'msgpackr';

export function packMessage(value: unknown, msgpack: boolean): string | Buffer {
  return msgpack ? pack(value) : JSON.stringify(value);
}

export function unpackMessage(bytes: Buffer, msgpack: boolean): unknown {
  return msgpack ? unpack(bytes) : JSON.parse(bytes.toString());
}
