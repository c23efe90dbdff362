// What a trace of system calls adds up to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sumCalls } from './disk-bytes.js';

test('bytes of a trace by file, with calls that are told in two lines', () => {
  const trace = [
    '11 pwrite64(20</data/journal/0000000000.seg>, ""..., 4096, 8192) = 4096',
    '12 pwrite64(21</data/index/data.mdb>, ""..., 100, 0 <unfinished ...>',
    '11 write(7<pipe:[123]>, ""..., 8) = 8',
    '12 <... pwrite64 resumed>) = 100',
    '11 pwritev(20</data/journal/0000000000.seg>, [{iov_base=""..., iov_len=10}], 1, 0) = 10',
    '11 pwrite64(20</data/journal/0000000000.seg>, ""..., 10, 0) = -1 ENOSPC (No space left on device)',
  ].join('\n');
  const kindOf = (path: string): string => (path.endsWith('.seg') ? 'journal' : 'index');
  assert.deepEqual(sumCalls(trace, kindOf), { journal: 4_106, index: 100 });
});
