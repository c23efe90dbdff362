// What the peers are asked: investors of their own tokens and keys, of whom one in twenty has too little, and one request
// in twenty that was sent before.

import { type RequestFileOptions, recordInvestor, writeRequestFile } from './request-file.js';

/** One of this many requests is a duplicate, and one is of a poor investor. */
const EVERY = 20;
const DUPLICATE_AT = 7;
const POOR_AT = 13;
/** A duplicate comes this much later than its first, so that most firsts have been answered. A multiple of EVERY. */
const DISTANCE = 2_000;

const BALANCE = 1_000_000;

export type MixedFileOptions = Omit<RequestFileOptions, 'order'>;

/** The record at a position: of a duplicate, an earlier one that was no duplicate and not poor. */
export function recordAt(position: number): number {
  const isDuplicate = position % EVERY === DUPLICATE_AT && position >= DISTANCE;
  return isDuplicate ? position - DUPLICATE_AT - DISTANCE + 1 : position;
}

export function isPoor(index: number): boolean {
  return index % EVERY === POOR_AT;
}

/** How many of the positions `[first, first + count)` are of poor investors. */
export function poorBetween(first: number, count: number): number {
  const below = (end: number): number => Math.floor((end - POOR_AT + EVERY - 1) / EVERY);
  return below(first + count) - below(first);
}

/** Writes the file; returns the length of a record. */
export function writeMixedFile(options: MixedFileOptions): number {
  return writeRequestFile({ ...options, order: recordAt });
}

/** Every investor of the file once, with the balance that each server is told. */
export function* mixedInvestors(
  options: MixedFileOptions,
): Generator<{ readonly investor: string; readonly balance: number }> {
  for (let position = 0; position < options.records; position++) {
    if (recordAt(position) !== position) continue;
    const balance = isPoor(position) ? options.amount - 1 : BALANCE;
    yield { investor: recordInvestor(options.label, position), balance };
  }
}
