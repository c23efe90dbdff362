// Lines of investors: what is read, what is refused, and by which words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type InvestorLine,
  isInvestorHeader,
  parseInvestorBody,
  parseInvestorLine,
} from './investor-lines.js';
import { BAD_LINES_REPORTED_MAX, INVESTOR_LINES_MAX } from './limits.js';

const ALICE: InvestorLine = { investor: 'alice', balance: 150_000, currency: 'GBP', eligible: true };

test('CSV and NDJSON of one investor read the same', () => {
  for (const [format, line] of [
    ['csv', 'alice,150000,GBP,true'],
    ['csv', 'alice,150000,GBP,true\r'],
    ['csv', '"alice","150000","GBP","true"'],
    ['ndjson', '{"investor":"alice","balance":150000,"currency":"GBP","eligible":true}'],
    ['ndjson', ' {"eligible":true,"currency":"GBP","balance":150000,"investor":"alice"}\r'],
  ] as const) {
    assert.deepEqual(parseInvestorLine(format, line), { ok: true, value: ALICE }, line);
  }
});

test('a quoted field keeps its commas and quotes', () => {
  const parsed = parseInvestorLine('csv', '"a,""b""",0,GBP,false');
  assert.deepEqual(parsed, {
    ok: true,
    value: { investor: 'a,"b"', balance: 0, currency: 'GBP', eligible: false },
  });
});

const bad: readonly [format: 'csv' | 'ndjson', line: string, names: RegExp][] = [
  ['csv', 'alice,150000,GBP', /fields/],
  ['csv', 'alice,150000,GBP,true,', /fields/],
  ['csv', ',150000,GBP,true', /investor/],
  ['csv', 'al ice,150000,GBP,true', /investor/],
  ['csv', `${'a'.repeat(129)},1,GBP,true`, /investor/],
  ['csv', 'zoë,1,GBP,true', /investor/],
  ['csv', 'alice,1500.00,GBP,true', /balance/],
  ['csv', 'alice,-1,GBP,true', /balance/],
  ['csv', 'alice,+1,GBP,true', /balance/],
  ['csv', 'alice,1e3,GBP,true', /balance/],
  ['csv', 'alice,,GBP,true', /balance/],
  ['csv', 'alice,9007199254740992,GBP,true', /balance/],
  ['csv', 'alice,99999999999999999,GBP,true', /balance/],
  ['csv', 'alice, 1,GBP,true', /balance/],
  ['csv', 'alice,1,gbp,true', /currency/],
  ['csv', 'alice,1,GBX,true', /currency/],
  ['csv', 'alice,1,GBP,yes', /eligible/],
  ['csv', 'alice,1,GBP,TRUE', /eligible/],
  ['csv', '"alice,1,GBP,true', /quoted/],
  ['csv', '"alice"x,1,GBP,true', /quoted/],
  ['csv', 'al"ice,1,GBP,true', /quoted/],
  ['ndjson', 'alice,1,GBP,true', /not JSON/],
  ['ndjson', '[]', /object/],
  ['ndjson', 'null', /object/],
  ['ndjson', '{"investor":"alice","balance":1,"currency":"GBP"}', /eligible/],
  ['ndjson', '{"investor":"alice","balance":"1","currency":"GBP","eligible":true}', /balance/],
  ['ndjson', '{"investor":"alice","balance":1.5,"currency":"GBP","eligible":true}', /balance/],
  ['ndjson', '{"investor":"alice","balance":1,"currency":"GBP","eligible":"true"}', /eligible/],
  ['ndjson', '{"investor":"alice","balance":1,"currency":"GBP","eligible":true,"vip":1}', /vip/],
  ['ndjson', `{"investor":"${'a'.repeat(500)}"}`, /longer/],
];

for (const [format, line, names] of bad) {
  test(`a bad line names what is wrong: ${line.slice(0, 40)}`, () => {
    const parsed = parseInvestorLine(format, line);
    assert.ok(!parsed.ok);
    assert.match(parsed.error, names);
  });
}

test('the header is one, in any case and with a byte order mark', () => {
  assert.ok(isInvestorHeader('investor,balance,currency,eligible'));
  assert.ok(isInvestorHeader('\ufeffInvestor,Balance,Currency,Eligible\r'));
  assert.ok(!isInvestorHeader('alice,1,GBP,true'));
});

test('a body is read whole: header, empty lines and a missing last line end do not matter', () => {
  const body = '\ufeffinvestor,balance,currency,eligible\r\nalice,150000,GBP,true\r\n\nbob,150000,GBP,true';
  assert.deepEqual(parseInvestorBody('text/csv', body), {
    ok: true,
    value: [ALICE, { ...ALICE, investor: 'bob' }],
  });
});

test('a body with bad lines gives none of its lines, and names the bad ones as an editor counts them', () => {
  const parsed = parseInvestorBody(
    'text/csv',
    'investor,balance,currency,eligible\na,1,GBP,true\nb\n\nc,x,GBP,true\n',
  );
  assert.ok(!parsed.ok);
  assert.equal(parsed.error.badLineCount, 2);
  assert.deepEqual(
    parsed.error.badLines.map((line) => line.line),
    [3, 5],
  );
  assert.match(parsed.error.badLines[1]?.problem ?? '', /balance/);
});

test('the list of bad lines is bounded, their count is not', () => {
  const parsed = parseInvestorBody('text/csv', 'x\n'.repeat(BAD_LINES_REPORTED_MAX + 50));
  assert.ok(!parsed.ok);
  assert.equal(parsed.error.badLines.length, BAD_LINES_REPORTED_MAX);
  assert.equal(parsed.error.badLineCount, BAD_LINES_REPORTED_MAX + 50);
});

test('a body may have so many lines and no more, and at least one', () => {
  const lines = (count: number) => Array.from({ length: count }, (_, i) => `a${i},1,GBP,true\n`).join('');
  assert.ok(parseInvestorBody('text/csv', lines(INVESTOR_LINES_MAX)).ok);
  assert.ok(!parseInvestorBody('text/csv', lines(INVESTOR_LINES_MAX + 1)).ok);
  assert.ok(!parseInvestorBody('text/csv', '\n').ok);
  assert.ok(!parseInvestorBody('application/x-ndjson', '').ok);
});

test('whatever is written as either format is read back', () => {
  const investor = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 128,
  });
  fc.assert(
    fc.property(
      investor,
      fc.maxSafeNat(),
      fc.constantFrom('GBP', 'EUR', 'JPY'),
      fc.boolean(),
      (...fields) => {
        const [name, balance, currency, eligible] = fields;
        const line = { investor: name, balance, currency, eligible };
        const csv = `"${name.replaceAll('"', '""')}",${balance},${currency},${String(eligible)}`;
        assert.deepEqual(parseInvestorLine('csv', csv), { ok: true, value: line });
        const text = JSON.stringify(line);
        assert.deepEqual(parseInvestorLine('ndjson', text), { ok: true, value: line });
      },
    ),
  );
});

test('the same investor on two lines of one body is a bad line that names the first', () => {
  const body = 'dd1,5,GBP,true\ndd2,5,GBP,true\ndd1,6,GBP,true\n';
  const parsed = parseInvestorBody('text/csv', body);
  assert.deepEqual(parsed, {
    ok: false,
    error: { badLineCount: 1, badLines: [{ line: 3, problem: 'investor dd1 is on line 1 already' }] },
  });
});
