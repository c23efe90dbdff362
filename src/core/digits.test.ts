// Integers written into a buffer are what `toString` writes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { putBase36, putDecimal } from './digits.js';

test('decimal and base 36, for every safe integer', () => {
  const check = (value: number): void => {
    const bytes = Buffer.alloc(40, '.');
    assert.equal(bytes.latin1Slice(3, putDecimal(bytes, 3, value)), String(value));
    assert.equal(bytes.latin1Slice(3, putBase36(bytes, 3, value)), value.toString(36));
  };
  for (const value of [0, 1, 9, 10, 35, 36, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
    check(value);
  fc.assert(fc.property(fc.maxSafeNat(), check));
});
