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
    const tellOne = (target: AnswerTarget): void => {
      cursor.next();
      const length = requests.readUInt32LE(requestAt);
      if (cursor.kind !== ANSWER.misrouted) target.answer(cursor);
      else this.#onMisrouted(cursor.status, requests.subarray(requestAt, requestAt + length), target);
      requestAt += length;
    };
    for (let at = 0; at < targets.length; ) {
      const target = targets[at]!;
      if (targets[at + 1] !== target) {
        tellOne(target);
        at++;
        continue;
      }
      target.cork(() => {
        while (targets[at] === target) {
          tellOne(target);
          at++;
        }
      });
    }
  }
}
