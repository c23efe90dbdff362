// A bus in the hands of a test: deliveries that say how they ended, and hand-overs that wait to be answered.

import assert from 'node:assert/strict';
import { decodeOutcomeMessage, type OutcomeMessage } from '../core/messages.js';
import type { Result } from '../core/result.js';
import type { Message, Publisher, PublishFailure } from '../engines/bus.js';

/** A bus whose every hand-over waits for the test. */
export class HeldPublisher implements Publisher {
  readonly connected = true;
  readonly published: {
    outcomes: OutcomeMessage[];
    answer: (result: Result<void, PublishFailure>) => void;
  }[] = [];
  #waiting: (() => void) | null = null;

  onConnectedChange(): () => void {
    return () => undefined;
  }

  publish(_topic: string, bodies: readonly Uint8Array[]): Promise<Result<void, PublishFailure>> {
    return new Promise((answer) => {
      const outcomes = bodies.map((body) => {
        const read = decodeOutcomeMessage(body);
        assert.ok(read.ok);
        return read.value;
      });
      this.published.push({ outcomes, answer });
      this.#waiting?.();
    });
  }

  /** The publication of this index, as soon as it has been made. */
  async next(index: number): Promise<(typeof this.published)[number]> {
    while (this.published.length <= index) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    return this.published[index]!;
  }
}

export interface Ended {
  how: 'finished' | 'requeued' | null;
  readonly ended: Promise<void>;
}

/** A delivered message that says how it ended. */
export function message(body: Uint8Array): Message & Ended {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const result: Message & Ended = {
    how: null,
    ended,
    body,
    attempts: 1,
    finish: () => {
      result.how ??= 'finished';
      end();
    },
    requeue: () => {
      result.how ??= 'requeued';
      end();
    },
    touch: () => undefined,
  };
  return result;
}
