// 64-bit fields as numbers, and integers as the journal stores them: little endian, at any offset, without BigInt,
// views or objects.
//
// A "u53" takes eight bytes and holds 0..2^53-1, the integers that a JS number holds exactly. Its reader answers -1
// for anything above, which no caller accepts: a value that was not written as a u53 is damage, never rounded.

import { assert } from './assert.js';

const WORD = 0x1_0000_0000;
const HIGH_WORDS = 0x20_0000;

export function putU16(buffer: Uint8Array, offset: number, value: number): void {
  buffer[offset] = value;
  buffer[offset + 1] = value >>> 8;
}

export function getU16(buffer: Uint8Array, offset: number): number {
  return buffer[offset]! | (buffer[offset + 1]! << 8);
}

export function putU32(buffer: Uint8Array, offset: number, value: number): void {
  buffer[offset] = value;
  buffer[offset + 1] = value >>> 8;
  buffer[offset + 2] = value >>> 16;
  buffer[offset + 3] = value >>> 24;
}

export function getU32(buffer: Uint8Array, offset: number): number {
  return (
    (buffer[offset]! |
      (buffer[offset + 1]! << 8) |
      (buffer[offset + 2]! << 16) |
      (buffer[offset + 3]! << 24)) >>>
    0
  );
}

export function putU53(buffer: Uint8Array, offset: number, value: number): void {
  putU32(buffer, offset, value >>> 0);
  putU32(buffer, offset + 4, (value / WORD) >>> 0);
}

/** The integer that `putU53` wrote, or -1. */
export function getU53(buffer: Uint8Array, offset: number): number {
  const high = getU32(buffer, offset + 4);
  return high < HIGH_WORDS ? high * WORD + getU32(buffer, offset) : -1;
}

/** A word of shared memory, or nanoseconds of `process.hrtime`, as a number; it must be one that a number holds exactly. */
export function wordNumber(word: bigint): number {
  const value = Number(word);
  assert(Number.isSafeInteger(value), 'a word of shared memory or a time must stay within 2^53-1');
  return value;
}
