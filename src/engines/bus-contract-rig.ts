// What the suite of a bus stands on: two ends with something between them that can fail, and what may differ.

import { type TestContext, test } from 'node:test';
import type { Bus, Message, PublishFailure } from './bus.js';

/** Two ends of a bus, connected, with something between them that can fail. */
export interface BusRig {
  readonly publisher: Bus;
  readonly subscriber: Bus;
  /** What stands between dies at once, with what it held in memory. */
  cut(): Promise<void>;
  /** It is there again. */
  mend(): Promise<void>;
  /** It stops answering; connections stay open. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export interface BusTraits {
  readonly name: string;
  /** Messages arrive in the order in which they were published. */
  readonly isOrdered: boolean;
  /** A publish is done when the broker has it; else when the handler has finished it. */
  readonly isBroker: boolean;
  /** More messages than may wait. */
  readonly tooManyMessages: number;
  readonly tooLargeBytes: number;
  /** Why it cannot run here, or false. */
  readonly skip: string | false;
}

export const TOPIC = 'a.topic';
export const DEADLINE_MS = 30_000;
const POLL_MS = 2;

export const bodies = (count: number, first = 0): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.from(`m${first + i}`));
export const text = ({ body }: Message): string => Buffer.from(body).toString();

/** Resolves when `condition` holds; throws when it does not in time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = DEADLINE_MS,
  pollMs = POLL_MS,
): Promise<void> {
  const lateMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > lateMs) throw new Error(`not in ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Publishes, and answers why not if not. */
export const publish = async (bus: Bus, some: readonly Uint8Array[]): Promise<'ok' | PublishFailure> => {
  const result = await bus.publish(TOPIC, some);
  return result.ok ? 'ok' : result.error;
};

/** Subscribes with a handler that only keeps what it gets. */
export function hold(bus: Bus, maxInFlight = 1_000): Message[] {
  const held: Message[] = [];
  bus.subscribe(TOPIC, (message) => held.push(message), { maxInFlight });
  return held;
}

/** Registers one test of the suite. */
export type Contract = (name: string, run: (rig: BusRig) => Promise<void>) => void;

/** `make` gives two connected ends and tidies up by `t.after`. */
export function contractOf(traits: BusTraits, make: (t: TestContext) => Promise<BusRig>): Contract {
  return (name, run) => {
    test(name, { skip: traits.skip }, async (t) => run(await make(t)));
  };
}
