// Times: what RFC 3339 allows is read, all else is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRfc3339, parseRfc3339Ms } from './rfc3339.js';

test('times with any offset, letter case and precision are read', () => {
  const expected = Date.parse('2026-11-23T10:00:00.123Z');
  for (const text of [
    '2026-11-23T10:00:00.123Z',
    '2026-11-23t10:00:00.123z',
    '2026-11-23T11:00:00.123+01:00',
    '2026-11-23T04:30:00.123456789-05:30',
  ]) {
    assert.equal(parseRfc3339Ms(text), expected, text);
  }
  assert.equal(parseRfc3339Ms('2028-02-29T00:00:00Z'), Date.parse('2028-02-29T00:00:00Z'));
});

test('what is not an RFC 3339 time is refused', () => {
  for (const text of [
    '',
    '2026-11-23',
    '2026-11-23T10:00:00',
    '2026-11-23 10:00:00Z',
    '2026-11-23T10:00Z',
    '2026-02-30T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T10:60:00Z',
    '2026-11-23T10:00:60Z',
    '2026-11-23T10:00:00+25:00',
    '1969-12-31T23:59:59Z',
    '9999-12-31T23:59:59-23:59',
    'Mon, 23 Nov 2026 10:00:00 GMT',
    '1795428000000',
  ]) {
    assert.equal(parseRfc3339Ms(text), null, text);
  }
});

test('formatting is UTC with milliseconds, and reads back', () => {
  assert.equal(formatRfc3339(1_795_428_000_123), '2026-11-23T10:00:00.123Z');
  assert.equal(formatRfc3339(null), null);
  assert.equal(parseRfc3339Ms(formatRfc3339(1_795_428_000_123)), 1_795_428_000_123);
});
