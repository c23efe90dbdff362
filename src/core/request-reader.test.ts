// The request reader: strict in both encodings, its fast and its slow path in agreement, and its pointers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { packCurrency } from './money.js';
import { packMsgpack } from './msgpack.js';
import { RequestReader, type RequestShape } from './request-reader.js';

const AROUND = '}],":{"amount":1,"currency":"GBP"}';

interface Read {
  readonly ok: boolean;
  readonly pointer: string;
  readonly amount: number;
  readonly currency: number;
  readonly key: string | null;
  readonly token: string | null;
  readonly type: string | null;
}

const reader = new RequestReader();

/** Reads the bytes out of the middle of others, as they lie in a slab. */
function read(content: Uint8Array, msgpack: boolean, shape: RequestShape = 'investment'): Read {
  const bytes = Buffer.concat([Buffer.from(AROUND), content, Buffer.from(AROUND)]);
  const start = AROUND.length;
  const ok = reader.read(bytes, start, start + content.length, msgpack, shape);
  const { pointer, amount, currency, type } = reader;
  const key = reader.keyText();
  const token = reader.hasToken ? reader.token.text() : null;
  return { ok, pointer, amount, currency, key, token, type };
}

const json = (text: string, shape?: RequestShape): Read => read(Buffer.from(text, 'latin1'), false, shape);
const pack = (value: unknown, shape?: RequestShape): Read => read(packMsgpack(value), true, shape);

function taken(one: Read, amount: number, currency = 'GBP'): void {
  assert.deepEqual([one.ok, one.amount, one.currency], [true, amount, packCurrency(currency)]);
}

function refused(one: Read, pointer: string, why?: string): void {
  assert.deepEqual([one.ok, one.pointer], [false, pointer], why);
  assert.notEqual(reader.reason, '');
}

describe('JSON', () => {
  test('every form of the same object is taken', () => {
    const forms = [
      '{"amount":50000,"currency":"GBP"}',
      ' \r\n\t{ "currency" : "GBP" , "amount" : 50000 } \n',
      '{"\\u0061mount":50000,"currency":"G\\u0042P"}',
    ];
    for (const form of forms) taken(json(form), 50_000);
    taken(json('{"amount":1,"currency":"GBP"}'), 1);
    taken(json('{"amount":9007199254740991,"currency":"GBP"}'), Number.MAX_SAFE_INTEGER);
  });

  test('an amount is an integer from 1 to 2^53-1, written as one', () => {
    const bad = [
      '0',
      '-0',
      '-1',
      '1.0',
      '1.5',
      '1e3',
      '1E3',
      '9007199254740992',
      '9007199254740993',
      '1e400',
      '"5"',
    ];
    for (const amount of [...bad, 'true', 'null', '[1]', '{"a":1}', '123456789012345678901234567890']) {
      refused(json(`{"amount":${amount},"currency":"GBP"}`), '/amount', amount);
    }
    for (const amount of ['01', '+1', '.5', '1.', '0x10', 'NaN', 'Infinity', '1_000', '']) {
      refused(json(`{"amount":${amount},"currency":"GBP"}`), '', amount);
    }
  });

  test('members: unknown, missing, twice, of the wrong type', () => {
    refused(json('{"currency":"GBP"}'), '/amount');
    refused(json('{"amount":1}'), '/currency');
    refused(json('{}'), '/amount');
    refused(json('{"amount":1,"amount":1,"currency":"GBP"}'), '/amount');
    refused(json('{"amount":1,"\\u0061mount":1,"currency":"GBP"}'), '/amount');
    refused(json('{"amount":1,"currency":"GBP","currency":"GBP"}'), '/currency');
    refused(json('{"amount":1,"currency":"GBP","note":"x"}'), '/note');
    refused(json('{"amount":1,"currency":"GBP","a/b":1,"a/b":2}'), '/a~1b');
    refused(json('{"amount":1,"currency":"GBP","a~b":{"amount":2}}'), '/a~0b');
    refused(json('{"amount":1,"currency":"GBP","__proto__":{}}'), '/__proto__');
    refused(json('{"amount":1,"currency":"GBP","":1}'), '/');
    refused(json('{"amount":1,"currency":"GBP","key":"k"}'), '/key', 'a header, not a member');
    for (const currency of ['"gbp"', '"GB"', '"GBPX"', '""', '1', 'null', '["GBP"]', '"G P"']) {
      refused(json(`{"amount":1,"currency":${currency}}`), '/currency', currency);
    }
  });

  test('what is no JSON object of UTF-8', () => {
    const bad = [
      '',
      ' ',
      '[]',
      '"a"',
      '1',
      'null',
      '{',
      '{"amount":1,"currency":"GBP"',
      '{"amount":1,"currency":"GBP"}x',
      '{"amount":1,}',
    ];
    for (const text of bad) refused(json(text), '', text);
    refused(json('{"amount":1,"currency":"GBP\xff"}'), '');
    refused(json('{"amount":1 "currency":"GBP"}'), '');
    refused(json("{'amount':1,'currency':'GBP'}"), '');
    const deep = '['.repeat(2_000);
    refused(json(`{"amount":${deep}${']'.repeat(2_000)},"currency":"GBP"}`), '/amount');
    refused(json(deep), '');
  });

  test('a byte order mark is passed over, as RFC 8259 allows', () => {
    taken(read(Buffer.from('\ufeff{"amount":5,"currency":"GBP"}'), false), 5);
  });

  test('messages', () => {
    const invest = json('{"type":"invest","key":"k-1","amount":5,"currency":"GBP","token":"t"}', 'message');
    taken(invest, 5);
    assert.deepEqual([invest.type, invest.key, invest.token], ['invest', 'k-1', 't']);
    const auth = json('{"type":"auth","token":"a.b.c"}', 'message');
    assert.deepEqual([auth.ok, auth.type, auth.token], [true, 'auth', 'a.b.c']);
    refused(json('{"type":"auth"}', 'message'), '/token');
    refused(json('{"token":"t"}', 'message'), '/type');
    refused(json('{"type":"auth","token":"t","amount":1}', 'message'), '/amount');
    refused(json('{"type":"auth","token":"t","token":"t"}', 'message'), '/token');
    refused(json('{"type":"ping"}', 'message'), '/type');
    refused(json('{"type":1}', 'message'), '/type');
    refused(json('{"type":"invest","key":7,"amount":1,"currency":"GBP"}', 'message'), '/key');
    assert.equal(json('{"amount":1,"currency":"GBP"}').key, null, 'nothing is left of the message before');
  });
});

describe('MessagePack', () => {
  test('maps of strings and integers, in every width', () => {
    for (const amount of [
      1,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
    ]) {
      taken(pack({ amount, currency: 'GBP' }), amount);
    }
    const wide = Buffer.concat([
      Buffer.from([0xde, 0, 2, 0xd9, 6]),
      Buffer.from('amount'),
      Buffer.from([0xd3, 0, 0, 0, 0, 0, 0, 0, 5]),
    ]);
    taken(
      read(
        Buffer.concat([
          wide,
          Buffer.from([0xda, 0, 8]),
          Buffer.from('currency'),
          Buffer.from([0xa3]),
          Buffer.from('GBP'),
        ]),
        true,
      ),
      5,
    );
    assert.equal(pack({ type: 'auth', token: 'x'.repeat(300) }, 'message').token?.length, 300);
  });

  test('what is refused, and where', () => {
    for (const amount of [0, -1, -40, -200, -40_000, 1.5, '5', null, true, [1], { a: 1 }]) {
      refused(pack({ amount, currency: 'GBP' }), '/amount', JSON.stringify(amount));
    }
    const past = Buffer.from([0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0]);
    const head = Buffer.concat([
      Buffer.from([0x82, 0xa8]),
      Buffer.from('currency'),
      Buffer.from([0xa3]),
      Buffer.from('GBP'),
      Buffer.from([0xa6]),
      Buffer.from('amount'),
    ]);
    refused(read(Buffer.concat([head, past]), true), '/amount', '2^53');
    refused(
      read(Buffer.concat([head, Buffer.from([0xcb, 0x40, 0x8f, 0x40, 0, 0, 0, 0, 0])]), true),
      '/amount',
      'a float of 1000',
    );
    refused(pack({ amount: 1, currency: 'GBP', tip: 1 }), '/tip');
    refused(pack({ amount: 1 }), '/currency');
    for (const value of [[], 'GBP', 5, null]) refused(pack(value), '');
    refused(read(Buffer.alloc(0), true), '');
    refused(
      read(Buffer.concat([packMsgpack({ amount: 1, currency: 'GBP' }), Buffer.from([0xc0])]), true),
      '',
    );
  });

  test('every cut of a good body is refused, whatever lies behind it', () => {
    const whole = packMsgpack({ amount: 2 ** 40, currency: 'GBP' });
    for (let length = 0; length < whole.length; length++)
      refused(read(whole.subarray(0, length), true), '', `${length} bytes`);
    // Wrong in a member as well: cut short it is no MessagePack, so no member is to blame.
    const values = [
      1.5,
      -1,
      null,
      true,
      [1, [2, 'a'.repeat(40)]],
      { a: { b: Buffer.alloc(300) } },
      'x'.repeat(70_000),
    ];
    for (const amount of values) {
      const wrong = packMsgpack({ amount, currency: 'GBP' });
      refused(read(wrong, true), '/amount', JSON.stringify(amount));
      for (const length of [wrong.length - 1, wrong.length - 5, 9, 8])
        refused(read(wrong.subarray(0, length), true), '', `${JSON.stringify(amount)}: ${length} bytes`);
    }
    const extension = Buffer.concat([
      packMsgpack({ amount: 1, currency: 'GBP' }).subarray(0, 8),
      Buffer.from([0xc7, 3, 5, 1, 2, 3]),
      packMsgpack({ amount: 1, currency: 'GBP' }).subarray(9),
    ]);
    refused(read(extension, true), '/amount', 'an extension');
  });

  test('the widest heads are read as the narrow ones are', () => {
    const text = (value: string) =>
      Buffer.concat([Buffer.from([0xdb, 0, 0, 0, value.length]), Buffer.from(value)]);
    const members = [text('amount'), Buffer.from([5]), text('currency'), text('GBP')];
    taken(read(Buffer.concat([Buffer.from([0xdf, 0, 0, 0, 2]), ...members]), true), 5);
    refused(read(Buffer.concat([Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]), ...members]), true), '');
    refused(read(Buffer.concat([Buffer.from([0x81, 0xdb, 0xff, 0xff, 0xff, 0xff]), ...members]), true), '');
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.boolean(),
        (bytes, msgpack) => void read(bytes, msgpack, 'message'),
      ),
    );
  });
});

test('the fast and the slow path agree on every object', () => {
  const member = fc.oneof(
    fc.tuple(
      fc.constant('amount'),
      fc.oneof(fc.integer({ min: -5, max: 5 }), fc.maxSafeInteger(), fc.double(), fc.constant('5')),
    ),
    fc.tuple(
      fc.constant('currency'),
      fc.oneof(fc.constantFrom('GBP', 'EUR', 'gbp'), fc.string({ maxLength: 4 }), fc.nat()),
    ),
    fc.tuple(
      fc.constantFrom('key', 'token', 'type', 'x/y'),
      fc.oneof(fc.constantFrom('invest', 'auth'), fc.string(), fc.nat()),
    ),
  );
  const spaces = fc.constantFrom('', ' ', '\n\t');
  fc.assert(
    fc.property(
      fc.array(member, { maxLength: 6 }),
      spaces,
      fc.constantFrom('investment', 'message'),
      (members, space, shape) => {
        const text = (spell: (name: string) => string) =>
          `{${space}${members.map(([name, value]) => `"${spell(name)}"${space}:${JSON.stringify(value)}`).join(`${space},`)}}`;
        const fast = read(Buffer.from(text((name) => name)), false, shape as RequestShape);
        // An escape in a name sends the same object down the slow path.
        const spelled = (name: string) =>
          `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`;
        const slow = read(Buffer.from(text(spelled)), false, shape as RequestShape);
        assert.deepEqual(fast, slow);
      },
    ),
    { numRuns: 500 },
  );
});
