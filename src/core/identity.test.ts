// Names and encodings that others rely on: investment ids, investors, bus messages, MessagePack integers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { InvestmentIds, isLineage, ownLineage } from './ids.js';
import { investorHash, isInvestorId } from './investor.js';
import {
  decodeBalanceMessage,
  decodeInvestmentMessage,
  decodeOutcomeMessage,
  encodeMessage,
} from './messages.js';
import { packMsgpack } from './msgpack.js';

describe('investment ids', () => {
  const ids = new InvestmentIds(ownLineage('abcd1234'));

  test('there and back, within 40 characters', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (sequence) => {
        const id = ids.idOf(sequence);
        assert.ok(id.length <= 40);
        assert.equal(ids.sequenceOf(id), sequence);
        assert.equal(new InvestmentIds(ownLineage('abcd1235')).sequenceOf(id), 0, 'of another journal');
      }),
    );
  });

  test('only the one spelling names a row', () => {
    for (const id of [
      '',
      'abcd1234',
      'abcd1234-',
      'abcd1234-0',
      'abcd1234-01',
      'abcd1234-A',
      'abcd1234-a ',
      ' abcd1234-a',
      'abcd1234-zzzzzzzzzzz',
      'abcd1234--1',
      'abcd1234-1.5',
      'ABCD1234-1',
    ]) {
      assert.equal(ids.sequenceOf(id), 0, id);
    }
  });

  test('after a rebuild, what was saved keeps its id and what was lost has none', () => {
    const later = new InvestmentIds([
      { journalId: 'abcd1234', firstSequence: 1 },
      { journalId: 'efgh5678', firstSequence: 101 },
      { journalId: 'ijkl9012', firstSequence: 102 },
    ]);
    assert.deepEqual(
      [1, 100, 101, 102, 500].map((sequence) => later.idOf(sequence)),
      ['abcd1234-1', 'abcd1234-2s', 'efgh5678-2t', 'ijkl9012-2u', 'ijkl9012-dw'],
    );
    for (const sequence of [1, 100, 101, 102, 500])
      assert.equal(later.sequenceOf(later.idOf(sequence)), sequence);
    // Only the lost disk had these; their numbers are others' now.
    for (const id of [ids.idOf(101), ids.idOf(500), 'efgh5678-2u', 'efgh5678-2s']) {
      assert.equal(later.sequenceOf(id), 0, id);
      assert.ok(later.isOfLineage(id), id);
    }
    assert.ok(!later.isOfLineage('zzzz0000-1'));
  });

  test('a lineage begins at 1 and ascends', () => {
    const at = (...firsts: number[]) =>
      firsts.map((firstSequence, i) => ({ journalId: `journal${i}`, firstSequence }));
    assert.ok(isLineage(at(1)) && isLineage(at(1, 2, 9)));
    for (const wrong of [
      at(),
      at(2),
      at(1, 1),
      at(1, 5, 3),
      at(1, 1.5),
      [{ journalId: 'A', firstSequence: 1 }],
    ])
      assert.ok(!isLineage(wrong), JSON.stringify(wrong));
  });
});

test('investors: visible ASCII, 1 to 128 bytes, and a stable hash', () => {
  for (const good of ['a', '!', '~', 'x'.repeat(128), 'a@b.c', '"\\']) assert.ok(isInvestorId(good), good);
  for (const bad of ['', 'x'.repeat(129), 'a b', 'a\t', '\u007f', 'é', '\0', 5, null, undefined, {}])
    assert.ok(!isInvestorId(bad));
  // The published vectors of FNV-1a, 32 bits.
  assert.deepEqual(
    [investorHash(''), investorHash('a'), investorHash('foobar')],
    [0x811c9dc5, 0xe40c292c, 0xbf9cf968],
  );
  const shards = new Array<number>(3).fill(0);
  for (let i = 0; i < 30_000; i++) shards[investorHash(`investor-${i}`) % 3]!++;
  assert.ok(
    shards.every((count) => count > 9_000),
    `${shards}`,
  );
});

describe('messages', () => {
  const at = '2026-11-23T10:00:00.000Z';
  const base = { id: 'abcd1234-1', round: 'crowd', investor: 'ann', amount: 5, currency: 'GBP', sequence: 1 };
  const investment = { ...base, epoch: 2, acceptedAt: at, cap: 9 };
  const account = { balance: 0, balanceVersion: 3, eligible: true, at };
  const settled = { ...base, ...account, state: 'settled' as const };
  const declined = { ...settled, state: 'declined' as const, reason: 'cap-exceeded' as const };
  const balance = { investor: 'ann', currency: 'GBP', balance: 7, eligible: false, version: 4, at };
  const kinds = [
    [decodeInvestmentMessage, investment],
    [decodeOutcomeMessage, settled],
    [decodeOutcomeMessage, declined],
    [decodeBalanceMessage, balance],
  ] as const;

  test('there and back', () => {
    for (const [decode, message] of kinds)
      assert.deepEqual(decode(encodeMessage(message)), { ok: true, value: message });
  });

  test('every member is needed, and of its type', () => {
    const from = (value: unknown) => Buffer.from(JSON.stringify(value));
    for (const [decode, message] of kinds) {
      for (const name of Object.keys(message)) {
        for (const wrong of [undefined, null, -1, 1.5, '', {}, 2 ** 53, 'x'.repeat(300)]) {
          const read = decode(from({ ...message, [name]: wrong }));
          assert.ok(!read.ok && read.error.includes(name), `${name}: ${String(wrong)}`);
        }
      }
      for (const body of ['', '[]', 'null', '1', '{', '"x"']) assert.ok(!decode(Buffer.from(body)).ok, body);
    }
    assert.ok(!decodeOutcomeMessage(from({ ...declined, reason: 'bad mood' })).ok);
  });
});

test('MessagePack: integers stay integers, whatever their size', () => {
  const unpackr = new Unpackr({ useRecords: false, int64AsType: 'bigint' });
  for (const value of [
    0,
    1,
    -1,
    127,
    128,
    2 ** 31 - 1,
    2 ** 31,
    -(2 ** 31),
    2 ** 32 - 1,
    2 ** 32,
    -(2 ** 33),
    Number.MAX_SAFE_INTEGER,
  ]) {
    const bytes = packMsgpack({ deep: [{ value }] });
    const back = unpackr.unpack(bytes) as { deep: { value: number | bigint }[] };
    assert.equal(BigInt(back.deep[0]!.value), BigInt(value));
    const head = bytes[bytes.indexOf('value') + 5]!;
    assert.ok(head !== 0xca && head !== 0xcb, `${value} as a float`);
  }
  assert.deepEqual(unpackr.unpack(packMsgpack({ a: null, b: true, c: 'é', d: [] })), {
    a: null,
    b: true,
    c: 'é',
    d: [],
  });
});
