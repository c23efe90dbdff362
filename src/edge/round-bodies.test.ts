// Bodies that create and amend rounds: each wrong member is pointed at.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAmendment, parseNewRound } from './round-bodies.js';

const full = {
  id: 'crowd',
  name: 'Crowd 2026',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
};

function pointerOf(result: ReturnType<typeof parseNewRound> | ReturnType<typeof parseAmendment>): unknown {
  if (result.ok) return 'ok';
  assert.equal(result.error.code, 'malformed-request');
  return result.error.members?.['pointer'];
}

test('a whole body is taken as it is; times and unknownBalance may be absent', () => {
  assert.deepEqual(parseNewRound(full), { ok: true, value: full });
  const { opensAt: _opens, closesAt: _closes, unknownBalance: _unknown, ...short } = full;
  assert.deepEqual(parseNewRound(short), { ok: true, value: full });
  const timed = parseNewRound({
    ...full,
    opensAt: '2026-11-23T10:00:00Z',
    closesAt: '2026-11-23T12:00:00+01:00',
  });
  assert.ok(timed.ok);
  assert.equal(timed.value.closesAt! - timed.value.opensAt!, 3_600_000);
});

test('each wrong member is named by its pointer', () => {
  for (const [change, pointer] of [
    [{ id: 'Crowd' }, '/id'],
    [{ id: 'a'.repeat(41) }, '/id'],
    [{ id: '' }, '/id'],
    [{ id: 7 }, '/id'],
    [{ name: '' }, '/name'],
    [{ name: '   ' }, '/name'],
    [{ name: 'x'.repeat(201) }, '/name'],
    [{ name: 'two\nlines' }, '/name'],
    [{ name: 'half a pair \ud83d' }, '/name'],
    [{ currency: 'gbp' }, '/currency'],
    [{ currency: 'ABC' }, '/currency'],
    [{ cap: 0 }, '/cap'],
    [{ cap: -1 }, '/cap'],
    [{ cap: 1.5 }, '/cap'],
    [{ cap: '2000' }, '/cap'],
    [{ cap: 2 ** 53 }, '/cap'],
    [{ minimum: 0 }, '/minimum'],
    [{ maximum: null }, '/maximum'],
    [{ minimum: 200_001 }, '/minimum'],
    [{ maximum: 2_000_000_001 }, '/maximum'],
    [{ opensAt: 'tomorrow' }, '/opensAt'],
    [{ opensAt: 1_795_428_000_000 }, '/opensAt'],
    [{ opensAt: '2026-11-23T10:00:00Z', closesAt: '2026-11-23T10:00:00Z' }, '/closesAt'],
    [{ unknownBalance: 'maybe' }, '/unknownBalance'],
    [{ state: 'open' }, '/state'],
    [{ 'a/b~c': 1 }, '/a~1b~0c'],
    [{ cap: undefined }, '/cap'],
  ] as const) {
    assert.equal(pointerOf(parseNewRound({ ...full, ...change })), pointer, JSON.stringify(change));
  }
  for (const body of [null, undefined, 'x', 3, [full]]) assert.equal(pointerOf(parseNewRound(body)), '');
});

test('an amendment names only what may change', () => {
  assert.deepEqual(parseAmendment({ cap: 5, opensAt: null }), { ok: true, value: { cap: 5, opensAt: null } });
  assert.deepEqual(parseAmendment({}), { ok: true, value: {} });
  for (const name of ['id', 'currency', 'unknownBalance', 'state', 'number', '__proto__']) {
    const body = JSON.parse(`{"${name}": "x"}`);
    assert.equal(pointerOf(parseAmendment(body)), `/${name}`);
  }
  assert.equal(pointerOf(parseAmendment({ cap: 0 })), '/cap');
  assert.equal(pointerOf(parseAmendment([])), '');
});
