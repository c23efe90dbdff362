// Events: CloudEvents 1.0 by its required attributes, with ids that depend on nothing but the change.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvestmentIds, ownLineage } from './ids.js';
import { eventOfRow } from './investment-event.js';

import type { OutcomeRow, VerdictRow } from './rows.js';

const IDS = new InvestmentIds(ownLineage('abcd1234'));

const AT = Date.parse('2026-11-23T10:00:00.123Z');
const roundOf = (number: number) => (number === 1 ? { id: 'crowd', currency: 'GBP' } : undefined);

const verdict = (row: Partial<VerdictRow> = {}): VerdictRow => ({
  kind: 'verdict',
  sequence: 1_234,
  at: AT,
  round: 1,
  investor: 'alice',
  key: 'k',
  verdict: 'accepted',
  amount: 50_000,
  extra: 0,
  ...row,
});

const outcome = (row: Partial<OutcomeRow> = {}): OutcomeRow => ({
  kind: 'outcome',
  sequence: 2_000,
  at: AT,
  round: 1,
  investor: 'alice',
  investment: 1_234,
  amount: 50_000,
  state: 'settled',
  reason: null,
  balance: 7,
  balanceVersion: 2,
  eligible: true,
  ...row,
});

const event = (row: VerdictRow | OutcomeRow): Record<string, unknown> =>
  JSON.parse(eventOfRow(IDS, row, roundOf) ?? 'null') as Record<string, unknown>;

test('an accepted investment is an event with everything of the 201', () => {
  assert.deepEqual(event(verdict()), {
    specversion: '1.0',
    id: 'abcd1234-ya.accepted',
    source: '/v1/rounds/crowd',
    type: 'openbell.investment.accepted',
    subject: 'abcd1234-ya',
    time: '2026-11-23T10:00:00.123Z',
    datacontenttype: 'application/json',
    sequence: '0000000000001234',
    data: {
      id: 'abcd1234-ya',
      round: 'crowd',
      investor: 'alice',
      amount: 50_000,
      currency: 'GBP',
      state: 'accepted',
      sequence: 1_234,
      acceptedAt: '2026-11-23T10:00:00.123Z',
    },
  });
});

test('a rejection and both outcomes are events of the same shape, and tell nothing of a balance', () => {
  const rejected = event(verdict({ verdict: 'round-full', extra: 5 }));
  assert.deepEqual(
    [rejected['id'], rejected['type']],
    ['abcd1234-ya.rejected', 'openbell.investment.rejected'],
  );
  assert.deepEqual((rejected['data'] as Record<string, unknown>)['reason'], 'round-full');
  const settled = event(outcome());
  assert.deepEqual(
    [settled['id'], settled['subject'], settled['sequence']],
    ['abcd1234-ya.settled', 'abcd1234-ya', '0000000000002000'],
  );
  const declined = event(outcome({ state: 'declined', reason: 'cap-exceeded' }));
  assert.deepEqual(declined['data'], {
    id: 'abcd1234-ya',
    round: 'crowd',
    investor: 'alice',
    amount: 50_000,
    currency: 'GBP',
    state: 'declined',
    sequence: 1_234,
    declinedAt: '2026-11-23T10:00:00.123Z',
    reason: 'cap-exceeded',
  });
  for (const each of [rejected, settled, declined]) assert.doesNotMatch(JSON.stringify(each), /balance/);
});

test('every event is ASCII, whatever the investor is called, and the same each time', () => {
  const row = verdict({ investor: `"\\${'~'.repeat(126)}` });
  const text = eventOfRow(IDS, row, roundOf) ?? '';
  assert.equal(text.length, Buffer.byteLength(text));
  assert.equal(text, eventOfRow(IDS, { ...row }, roundOf));
  assert.equal((event(row)['data'] as Record<string, unknown>)['investor'], row.investor);
});

test('rows of no investment, or of a round that is not known, are no events', () => {
  assert.equal(eventOfRow(IDS, verdict({ round: 2 }), roundOf), null);
});
