// The far end of the hand-off suite in a piscina thread: gives the slabs back by transfer, as an admission shard does.

import { move, Piscina } from 'piscina';

/** The two slabs of a batch. */
export interface Slabs {
  readonly requests: ArrayBuffer;
  readonly answers: ArrayBuffer;
}

/** Piscina's entry. */
export function run(slabs: Slabs): unknown {
  const both = {
    get [Piscina.transferableSymbol]() {
      return [slabs.requests, slabs.answers];
    },
    get [Piscina.valueSymbol]() {
      return slabs;
    },
  };
  // The types know one transferable at a time; piscina itself takes a list.
  return move(both as unknown as ArrayBuffer);
}
