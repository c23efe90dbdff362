// The table of accepted investments, and pages of the ledger against it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import { AcceptedTable, outcomeCode, outcomeText } from './audit-accepted.js';
import { Findings } from './audit-findings.js';
import { AuditLedger } from './audit-ledger.js';
import { verdictRow } from './journal-fixture.js';

const JOURNAL = 'journal1';
const IDS = new InvestmentIds(ownLineage(JOURNAL));
const LABELS = new Map([[1, { id: 'crowd', currency: 'GBP' }]]);

function tableOf(...sequences: number[]): AcceptedTable {
  const table = new AcceptedTable();
  for (const sequence of sequences)
    table.add(verdictRow(`investor-${sequence}`, { sequence, amount: sequence * 10 }));
  return table;
}

function page(...outcomes: object[]): Buffer {
  return Buffer.from(JSON.stringify({ outcomes, next: '7', more: false }));
}

function told(sequence: number, change: object = {}): object {
  const id = `${JOURNAL}-${sequence.toString(36)}`;
  const investor = `investor-${sequence}`;
  return {
    id,
    round: 'crowd',
    investor,
    amount: sequence * 10,
    currency: 'GBP',
    state: 'settled',
    ...change,
  };
}

describe('the table of accepted investments', () => {
  test('finds every one of very many, and nothing else', () => {
    const sequences = Array.from({ length: 10_000 }, (_, n) => n * 3 + 2);
    const table = tableOf(...sequences);
    assert.deepEqual([table.size, table.leftOut], [10_000, 0]);
    sequences.forEach((sequence, at) => {
      if (table.find(sequence) !== at || table.amountAt(at) !== sequence * 10)
        assert.fail(`sequence ${sequence}`);
    });
    for (const none of [0, 1, 3, 4, 30_000, 29_998]) assert.equal(table.find(none), -1);
  });

  test('counts what is beyond its bound', () => {
    const table = new AcceptedTable(2);
    for (const sequence of [2, 3, 4]) table.add(verdictRow('alice', { sequence }));
    assert.deepEqual([table.size, table.leftOut, table.find(4)], [2, 1, -1]);
  });

  test('keeps both sides apart for every outcome there is', () => {
    const codes = [
      outcomeCode('settled', null),
      outcomeCode('declined', 'insufficient-funds'),
      outcomeCode('declined', 'not-eligible'),
      outcomeCode('declined', 'cap-exceeded'),
    ];
    assert.equal(new Set([0, ...codes].map(outcomeText)).size, 5);
    for (const journal of codes) {
      for (const ledger of codes) {
        const table = tableOf(5);
        table.setLedger(0, ledger);
        table.setJournal(0, journal, true);
        assert.deepEqual([...table.standings()], [{ sequence: 5, round: 1, journal, ledger, late: true }]);
      }
    }
  });
});

describe('pages of the ledger', () => {
  test('count what waits, what is on its way, and what is of another journal', () => {
    const table = tableOf(2, 3, 4);
    table.setJournal(0, outcomeCode('settled', null), false);
    const findings = new Findings();
    const ledger = new AuditLedger(IDS, table, LABELS, findings);
    const taken = ledger.take(
      page(told(2), told(3, { state: 'declined', reason: 'not-eligible' }), { ...told(2), id: 'journal2-2' }),
    );
    assert.deepEqual(taken, { ok: true, value: { outcomes: 3, next: '7' } });
    assert.deepEqual(ledger.finish(true), {
      outcomes: 3,
      foreign: 1,
      rounds: [{ round: 'crowd', settled: 40, settledCount: 2 }],
      waiting: 1,
      inTransit: 1,
    });
    assert.equal(findings.count(), 0);
  });

  test('miss nothing that came late, nor anything when they are not whole', () => {
    const known = outcomeCode('settled', null);
    for (const [late, whole, missing] of [
      [false, true, 1],
      [true, true, 0],
      [false, false, 0],
    ] as const) {
      const table = tableOf(2);
      table.setJournal(0, known, late);
      const findings = new Findings();
      new AuditLedger(IDS, table, LABELS, findings).finish(whole);
      assert.equal(findings.count('ledger'), missing, `late ${late}, whole ${whole}`);
    }
  });

  test('name another round, another currency, and an id that is none of ours', () => {
    const findings = new Findings();
    const ledger = new AuditLedger(IDS, tableOf(2, 3), LABELS, findings);
    ledger.take(
      page(told(2, { round: 'other' }), told(3, { currency: 'EUR' }), told(9, { id: `${JOURNAL}-0009` })),
    );
    assert.deepEqual(
      findings.all().list.map(({ kind, detail }) => [kind, detail]),
      [
        ['ledger-differs', 'the journal has it in round crowd, the ledger in other'],
        ['ledger-differs', 'the round is in GBP, the ledger has EUR'],
        ['ledger-unknown', 'the ledger has settled 90 of investor-9, and the journal has not accepted it'],
      ],
    );
  });

  test('are refused whole when they are not pages of outcomes', () => {
    const ledger = new AuditLedger(IDS, tableOf(2), LABELS, new Findings());
    const bodies: Buffer[] = ['', 'null', '[]', '{"outcomes":[]}', '{"outcomes":[null],"next":"1"}'].map(
      (text) => Buffer.from(text),
    );
    for (const amount of [0, -1, 1.5, '10', 2 ** 53]) bodies.push(page(told(2), told(2, { amount })));
    bodies.push(page(told(2, { state: 'declined' })), page(told(2, { state: 'lost' })));
    for (const body of bodies) assert.equal(ledger.take(body).ok, false, body.toString());
    assert.equal(ledger.finish(true).outcomes, 0);
  });
});
