// What a consumer can make nothing of is put aside, with the reason, in a topic of its own: `<topic>.dead`. Where the bus
// keeps nothing (the embedded link) only the log and a count remain of it, as its sender has it anyway.

import type { Logger } from 'pino';
import {
  DEAD_LETTER_BODY_BYTES_MAX,
  DEAD_LETTER_RETRY_MAX_MS,
  DEAD_LETTER_RETRY_MIN_MS,
  MESSAGE_ATTEMPTS_MAX,
} from '../core/limits.js';
import type { Bus, Message } from './bus.js';

export type DeadReason =
  /** Not a message of this topic, or a member of it is missing or wrong. */
  | 'unreadable'
  /** It contradicts what is on the books, or in the journal. */
  | 'conflict'
  /** It is about nothing that is known here. */
  | 'unknown'
  /** It came back too often. */
  | 'attempts';

/** The body of a message in a `.dead` topic, as UTF-8 JSON. */
export interface DeadLetter {
  readonly topic: string;
  readonly reason: DeadReason;
  /** For an operator. */
  readonly detail: string;
  /** Deliveries that the bus knew of. */
  readonly attempts: number;
  /** When it was put aside, RFC 3339. */
  readonly at: string;
  /** Size of the original body. */
  readonly bytes: number;
  /** The original body in base64, at most its first DEAD_LETTER_BODY_BYTES_MAX bytes. */
  readonly body: string;
}

export interface DeadLettersModules {
  readonly bus: Pick<Bus, 'publish' | 'keepsMessages'>;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
}

/** Where the dead letters of a topic are. */
export const deadTopic = (topic: string): string => `${topic}.dead`;

export class DeadLetters {
  readonly #modules: DeadLettersModules;
  /** Put aside since the start, by reason. */
  readonly counts: Record<DeadReason, number> = { unreadable: 0, conflict: 0, unknown: 0, attempts: 0 };
  #lost = 0;

  constructor(modules: DeadLettersModules) {
    this.#modules = modules;
  }

  /** Of those, how many no topic holds: the bus keeps none, or could not carry it. */
  get lost(): number {
    return this.#lost;
  }

  /** True for a message that came back so often that it is better put aside: only where it can be. */
  isWornOut({ attempts }: Message): boolean {
    return this.#modules.bus.keepsMessages && attempts > MESSAGE_ATTEMPTS_MAX;
  }

  /** Puts the message aside and finishes it; it is requeued when that cannot be done now, and then comes here again. */
  bury(topic: string, message: Message, reason: DeadReason, detail: string): void {
    void this.buried(topic, message, reason, detail);
  }

  /** The same; resolves to whether it is done with, as far as it can be. */
  async buried(topic: string, message: Message, reason: DeadReason, detail: string): Promise<boolean> {
    const { bus, logger, nowMs } = this.#modules;
    const { attempts, body } = message;
    const about = { topic, reason, detail, attempts };
    if (!bus.keepsMessages) {
      logger.error(about, 'a message is dropped');
      this.#end(message, reason, true);
      return true;
    }
    const kept = Buffer.from(
      body.buffer,
      body.byteOffset,
      Math.min(body.byteLength, DEAD_LETTER_BODY_BYTES_MAX),
    );
    const letter: DeadLetter = {
      ...about,
      at: new Date(nowMs()).toISOString(),
      bytes: body.byteLength,
      body: kept.toString('base64'),
    };
    const published = await bus.publish(deadTopic(topic), [Buffer.from(JSON.stringify(letter))]);
    if (published.ok) {
      logger.error({ ...about, to: deadTopic(topic) }, 'a message is put aside');
      this.#end(message, reason, false);
    } else if (published.error === 'bad-size') {
      logger.error(about, 'a message is dropped: the bus cannot carry it to the dead letters');
      this.#end(message, reason, true);
    } else {
      const waitMs = DEAD_LETTER_RETRY_MIN_MS * 2 ** Math.min(attempts - 1, 16);
      message.requeue(Math.min(DEAD_LETTER_RETRY_MAX_MS, waitMs));
      return false;
    }
    return true;
  }

  #end(message: Message, reason: DeadReason, isLost: boolean): void {
    this.counts[reason]++;
    if (isLost) this.#lost++;
    message.finish();
  }
}
