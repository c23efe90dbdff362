// The mix of requests: shares, and that a duplicate is the very bytes of a request that went out before.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPoor, mixedInvestors, poorBetween, recordAt, writeMixedFile } from './mixed-requests.js';

const RECORDS = 6_000;

test('one in twenty is a duplicate, one in twenty poor, every other of a new investor', () => {
  const dir = mkdtempSync(join(tmpdir(), 'openbell-mixed-'));
  try {
    const options = {
      ...{ file: join(dir, 'requests'), records: RECORDS, secret: 's'.repeat(32), round: 'bench' },
      ...{ amount: 50_000, label: 'mix' },
    };
    const recordBytes = writeMixedFile(options);
    const bytes = readFileSync(options.file);
    assert.equal(bytes.length, RECORDS * recordBytes);
    const firsts = new Map<string, number>();
    let duplicates = 0;
    let poor = 0;
    for (let position = 0; position < RECORDS; position++) {
      const request = bytes.latin1Slice(position * recordBytes, (position + 1) * recordBytes);
      const first = firsts.get(request);
      if (first === undefined) firsts.set(request, position);
      else {
        duplicates += 1;
        assert.equal(recordAt(position), first);
        assert.ok(position - first > 1_500 && !isPoor(first));
      }
      if (isPoor(position)) poor += 1;
    }
    assert.equal(poor, RECORDS / 20);
    assert.equal(duplicates, (RECORDS - 2_000) / 20);
    const investors = [...mixedInvestors(options)];
    assert.equal(investors.length, firsts.size);
    assert.equal(new Set(investors.map(({ investor }) => investor)).size, firsts.size);
    assert.equal(investors.filter(({ balance }) => balance < options.amount).length, poor);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('poor ones in a range', () => {
  for (const [first, count] of [
    [0, 0],
    [0, 13],
    [0, 14],
    [13, 1],
    [14, 19],
    [14, 20],
    [5, 400],
    [333, 77],
  ] as const) {
    const counted = Array.from({ length: count }, (_, i) => isPoor(first + i)).filter(Boolean).length;
    assert.equal(poorBetween(first, count), counted, `${first} ${count}`);
  }
});
