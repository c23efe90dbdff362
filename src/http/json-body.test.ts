// The body of an admin request is one object of known members, each there once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readJsonObject } from './json-body.js';

const rules = {
  cap: { check: Number.isInteger, expected: 'an integer' },
  name: { check: (value: unknown) => typeof value === 'string', expected: 'a text', optional: true },
  more: { check: () => true, expected: 'anything', optional: true },
};
const read = (text: string) => readJsonObject(Buffer.from(text), rules);
const pointerOf = (text: string): string | null => {
  const result = read(text);
  return result.ok ? null : result.error.pointer;
};

test('a member that is there twice is refused, however it is written', () => {
  assert.equal(pointerOf('{"cap":12000,"cap":13000}'), '/cap');
  assert.equal(pointerOf('{"cap" : 12000, "name": "a", "\\u0063ap":12000}'), '/cap');
  assert.equal(pointerOf('{"more":1,"cap":1,"more":1}'), '/more');
});

test('names inside of texts and of other objects are none of its members', () => {
  assert.equal(pointerOf('{"cap":1,"name":"\\"cap\\":2,{"}'), null);
  assert.equal(pointerOf('{"cap":1,"more":[{"cap":1,"x":{"cap":1}},{"cap":"cap"}],"name":"cap"}'), null);
});

test('what is missing, unknown or of another type is named', () => {
  assert.equal(pointerOf('{}'), '/cap');
  assert.equal(pointerOf('{"cap":1,"a/b":1}'), '/a~1b');
  assert.equal(pointerOf('{"cap":"1"}'), '/cap');
  for (const text of ['', '[]', 'null', '1']) assert.equal(pointerOf(text), '', text);
});
