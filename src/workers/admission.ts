// The piscina worker of one admission shard: one long task, which serves the batch ring until it is told to stop.
//
// It blocks on the ring, not on an event loop: a batch then costs one wake-up each way. Control messages come through
// a port that is looked at whenever the ring wakes it, in order with the batches: one that was posted behind batch n
// is carried out when n has been answered. Its event loop turns now and then, for what libraries leave there.

import { setImmediate as loopTurn } from 'node:timers/promises';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { workerData } from 'piscina';
import { Counters, STAT } from '../core/counters.js';
import { LeaseWord } from '../core/lease-word.js';
import { SHARD_BATCHES_PER_LOOP_TURN, SHARD_SLEEP_MS } from '../core/limits.js';
import { wordNumber } from '../core/little-endian.js';
import { AnswerWriter } from './answer-writer.js';
import { BATCH_FLAG, BatchRing } from './batch-ring.js';
import { openIndex } from './index-db.js';
import { FrameBuilder } from './journal-frame.js';
import { JournalHead } from './journal-head.js';
import { JournalFailed, JournalWriter } from './journal-writer.js';
import { HandOffDelays } from './loop-delay.js';
import { applyOutcomes } from './outcome-applier.js';
import type { ControlMessage, ControlResult, ControlTask, ServeTask, ShardOptions } from './protocol.js';
import { Shard } from './shard.js';
import { ShardStats } from './shard-stats.js';

const options = workerData as ShardOptions;
const counters = new Counters(options.counters);
const head = new JournalHead(options.journalHead);
const opened = openIndex(options.indexDir, { readOnly: true });
if (!opened.ok) throw new Error(`the index cannot be opened: ${opened.error}`);
const index = opened.value;
const writer = new JournalWriter(options.journalDir, head, options);
const frame = new FrameBuilder();
const answers = new AnswerWriter();
const clock = () => Date.now();
const stats = counters.stats(options.shard);
const delays = new HandOffDelays();
const shard = new Shard(options, {
  counters,
  index,
  writer,
  stats: new ShardStats(stats),
  ...(options.lease === undefined ? {} : { lease: new LeaseWord(options.lease) }),
  clock,
});

/** Piscina's entry: serves until the `stop` message, and resolves then. */
export async function run({ ring: memory, control, overflow }: ServeTask): Promise<void> {
  const ring = new BatchRing(memory);
  const messages: ControlMessage[] = [];
  let sinceTurn = 0;
  const isDue = ({ afterBatches }: ControlMessage): boolean => ((ring.answered - afterBatches) | 0) >= 0; // counts wrap
  // Ends with the `stop` message.
  for (;;) {
    const { wakes } = ring;
    takeMessages(control, messages);
    while (messages.length > 0 && isDue(messages[0]!)) {
      const { id, task } = messages.shift()!;
      if (task.kind === 'stop') return;
      control.postMessage({ id, result: runControl(task) });
    }
    let isIdle = false;
    if (ring.answered !== ring.published) serveBatch(ring, overflow);
    else {
      // An old snapshot would keep LMDB from using its pages again.
      index.refresh();
      isIdle = !ring.sleep(wakes, SHARD_SLEEP_MS);
    }
    if (!isIdle && ++sinceTurn < SHARD_BATCHES_PER_LOOP_TURN) continue;
    sinceTurn = 0;
    reportDelays();
    await loopTurn();
  }
}

function takeMessages(port: MessagePort, into: ControlMessage[]): void {
  // Ends with the last message that is there.
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: ControlMessage } | undefined;
    if (received === undefined) return;
    into.push(received.message);
  }
}

function serveBatch(ring: BatchRing, overflow: MessagePort): void {
  const batch = ring.answered;
  delays.record(wordNumber(process.hrtime.bigint()) - ring.publishedNs(batch));
  answers.open(ring.answers(batch));
  let flags = 0;
  try {
    shard.process(ring.requests(batch), ring.requestBytes(batch), answers);
  } catch (error) {
    if (!(error instanceof JournalFailed)) throw error;
    flags = BATCH_FLAG.failed;
  }
  const memory = flags === 0 ? answers.overflow : null;
  if (memory !== null) {
    flags = BATCH_FLAG.overflow;
    overflow.postMessage(memory, [memory]);
  }
  ring.answer(answers.length, flags, head.durableSequence);
}

function reportDelays(): void {
  const { p50S, p99S, maxS } = delays.read(performance.now());
  stats[STAT.loopP50S] = p50S;
  stats[STAT.loopP99S] = p99S;
  stats[STAT.loopMaxS] = maxS;
}

function runControl(task: Exclude<ControlTask, { kind: 'stop' }>): ControlResult<ControlTask> {
  switch (task.kind) {
    case 'append-round':
      return journaled(() => {
        frame.reset();
        const at = clock();
        frame.add({ kind: 'round', sequence: 0, at, change: task.change, definition: task.definition });
        return { sequence: writer.append(frame, at) };
      });
    case 'round':
      shard.setRound(task.definition);
      return { done: true };
    case 'outcomes':
      return journaled(() => {
        shard.refresh();
        const { rows, admitter, ids } = shard;
        const roundById = (id: string) => admitter.roundById(id);
        const modules = { counters, index, writer, rows, ids, roundById };
        return { applied: applyOutcomes(task.outcomes, modules, clock()) };
      });
    case 'barrier':
      return { done: true };
  }
}

function journaled<T>(work: () => T): T | { readonly failed: true } {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof JournalFailed)) throw error;
    return { failed: true };
  }
}
