// Head and body of an HTTP answer, ready to be handed to uWebSockets.js. A view of bytes costs V8 more than the bytes
// themselves: so an answer is copied, word by word, into one scratch, for which views of the usual lengths are kept.

import { ANSWER_SHAPES_MAX, ANSWER_TEXT_BYTES } from '../core/limits.js';

interface Shape {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
}

export class AnswerText {
  /** Good until the next `load`. */
  head: Uint8Array = new Uint8Array(0);
  body: Uint8Array = new Uint8Array(0);
  readonly #scratch = new Int32Array(ANSWER_TEXT_BYTES / 4);
  readonly #shapes = new Map<number, Shape>();
  /** Of the shape that `head` and `body` have: in a rush answers are of one length for long. */
  #key = -1;

  /** Takes the text at word `from` of `words`: a head, and a body right behind it. Lengths in bytes. */
  load(words: Int32Array, from: number, headBytes: number, bodyBytes: number): void {
    const bytes = headBytes + bodyBytes;
    if (bytes > ANSWER_TEXT_BYTES) {
      const at = words.byteOffset + 4 * from;
      this.#key = -1;
      this.head = new Uint8Array(words.buffer, at, headBytes);
      this.body = new Uint8Array(words.buffer, at + headBytes, bodyBytes);
      return;
    }
    const scratch = this.#scratch;
    const count = (bytes + 3) >>> 2;
    for (let i = 0; i < count; i++) scratch[i] = words[from + i]!;
    const key = headBytes * (ANSWER_TEXT_BYTES + 1) + bodyBytes;
    if (key === this.#key) return;
    const shape = this.#shape(key, headBytes, bodyBytes);
    this.#key = key;
    this.head = shape.head;
    this.body = shape.body;
  }

  #shape(key: number, headBytes: number, bodyBytes: number): Shape {
    const shapes = this.#shapes;
    let shape = shapes.get(key);
    if (shape === undefined) {
      if (shapes.size >= ANSWER_SHAPES_MAX) shapes.clear();
      const { buffer } = this.#scratch;
      shape = {
        head: new Uint8Array(buffer, 0, headBytes),
        body: new Uint8Array(buffer, headBytes, bodyBytes),
      };
      shapes.set(key, shape);
    }
    return shape;
  }
}
