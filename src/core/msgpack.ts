// MessagePack as the public sees it: plain maps, integers that stay integers, no extensions.

import { Packr } from 'msgpackr';

const packr = new Packr({ useRecords: false, structuredClone: false, variableMapSize: true });

/** Integers past 32 bits would be packed as floats, and money is never a float. */
function exact(value: unknown): unknown {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) > 0x7fffffff ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exact(member)]));
  }
  return value;
}

/** The value (plain objects, arrays, strings, integers, booleans, null) as MessagePack. */
export function packMsgpack(value: unknown): Buffer {
  return packr.pack(exact(value));
}
