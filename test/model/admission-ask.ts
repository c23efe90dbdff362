// One request of the model test on its way through a queue, and what it must be answered.

import type { AnswerCursor } from '../../src/edge/answer-cursor.js';
import type { AnswerTarget } from '../../src/edge/answer-target.js';
import type { AskCommand } from './admission-commands.js';
import type { ModelAnswer, ModelVerdict } from './admission-model.js';
import type { Got } from './answer-check.js';

/** Collects its answer; the session fills in what it expects. */
export class Ask implements AnswerTarget {
  readonly command: AskCommand;
  got: Got | null = null;
  answers = 0;
  expected: ModelAnswer | null = null;
  expectedViews: readonly Record<string, unknown>[] | null = null;
  asked: ModelVerdict | undefined;

  constructor(command: AskCommand) {
    this.command = command;
  }

  answer(cursor: AnswerCursor): void {
    this.answers++;
    this.got = { status: cursor.status, head: cursor.head(), body: Buffer.from(cursor.body()) };
  }

  fail(): void {
    this.answers = Number.POSITIVE_INFINITY;
  }

  cork(work: () => void): void {
    work();
  }

  get msgpack(): boolean {
    return this.command.way.endsWith('msgpack');
  }

  get live(): boolean {
    return this.command.ask === 'invest' && this.command.way.startsWith('live');
  }
}

/** The idempotency key that a command sends. */
export function keyOf({ key, flaw }: AskCommand): string {
  return flaw === 'bad-key' ? 'not a key' : `key-${key}`;
}
