// What is sent of an answer is what lies in the slab, whatever its lengths and whatever was sent before.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANSWER_SHAPES_MAX, ANSWER_TEXT_BYTES } from '../core/limits.js';
import { AnswerText } from './answer-text.js';

test('head and body are the bytes that were given, short or long', () => {
  const bytes = fc.uint8Array({ maxLength: ANSWER_TEXT_BYTES });
  const answers = fc.array(fc.record({ head: bytes, body: bytes, from: fc.nat(5) }), { minLength: 1 });
  const text = new AnswerText();
  fc.assert(
    fc.property(answers, (list) => {
      for (const { head, body, from } of list) {
        const slab = new Uint8Array(4 * (from + Math.ceil((head.length + body.length) / 4)));
        slab.set(head, 4 * from);
        slab.set(body, 4 * from + head.length);
        text.load(new Int32Array(slab.buffer), from, head.length, body.length);
        assert.deepEqual(Buffer.from(text.head), Buffer.from(head));
        assert.deepEqual(Buffer.from(text.body), Buffer.from(body));
      }
    }),
  );
});

test('more lengths than are kept do no harm', () => {
  const text = new AnswerText();
  const slab = new Uint8Array(ANSWER_TEXT_BYTES).map((_, at) => at);
  const words = new Int32Array(slab.buffer);
  for (let head = 0; head <= ANSWER_SHAPES_MAX + 2; head++) {
    text.load(words, 0, head, ANSWER_TEXT_BYTES - head);
    assert.deepEqual([text.head.length, text.body[0]], [head, head & 255]);
  }
});

test('what is too long to be kept leaves nothing behind', () => {
  const text = new AnswerText();
  const slab = (fill: number): Int32Array => new Int32Array(new Uint8Array(8192).fill(fill).buffer);
  for (const [fill, head, body] of [
    [1, 20, 100],
    [2, 20, ANSWER_TEXT_BYTES],
    [3, 20, 100],
    [4, 20, 100],
  ] as const) {
    text.load(slab(fill), 0, head, body);
    assert.deepEqual([text.head.length, text.body.length], [head, body]);
    assert.ok([...text.head, ...text.body].every((byte) => byte === fill));
  }
});
