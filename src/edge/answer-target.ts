// Whoever waits for an answer of a shard: an HTTP request, a live connection, an upgrade.

import type { Problem } from '../core/problem.js';
import type { AnswerCursor } from './answer-cursor.js';

/** Who asked. An answer comes exactly once, as one of the two. */
export interface AnswerTarget {
  /** The cursor stands on the answer; what it shows is good only during the call. */
  answer(cursor: AnswerCursor): void;
  /** There will be no answer: unknown, never no. */
  fail(problem: Problem): void;
  /** Runs `work`, which answers this target several times in a row, as one write. */
  cork(work: () => void): void;
}
