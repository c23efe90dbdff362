// Gives the answers of a batch to those who asked, in order.

import { ANSWER } from '../workers/protocol.js';
import { AnswerCursor } from './answer-cursor.js';
import type { AnswerTarget } from './answer-target.js';

/** Another shard owns the investor of this record; the record is good during the call only. */
export type OnMisrouted = (shard: number, record: Uint8Array, target: AnswerTarget) => void;

export class AnswerDelivery {
  readonly #onMisrouted: OnMisrouted;
  readonly #cursor = new AnswerCursor();

  constructor(onMisrouted: OnMisrouted) {
    this.#onMisrouted = onMisrouted;
  }

  /** Answers all; several in a row for one target are one write. The slabs are good until it returns. */
  tell(targets: readonly AnswerTarget[], requests: Buffer, answers: Buffer): void {
    const cursor = this.#cursor;
    cursor.open(answers);
    let requestAt = 0;
    let request = 0;
    /** Requests are looked at only where one went to the wrong shard. */
    const requestOf = (answer: number): Uint8Array => {
      for (; request < answer; request++) requestAt += requests.readUInt32LE(requestAt);
      return requests.subarray(requestAt, requestAt + requests.readUInt32LE(requestAt));
    };
    let at = 0;
    const tellOne = (target: AnswerTarget): void => {
      cursor.next();
      if (cursor.kind !== ANSWER.misrouted) target.answer(cursor);
      else this.#onMisrouted(cursor.status, requestOf(at), target);
      at++;
    };
    while (at < targets.length) {
      const target = targets[at]!;
      if (targets[at + 1] !== target) tellOne(target);
      else
        target.cork(() => {
          while (targets[at] === target) tellOne(target);
        });
    }
  }
}
