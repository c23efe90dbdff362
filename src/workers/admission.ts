// The piscina worker of one admission shard: opens its journal and index, then answers tasks in the order they come.
// Everything is synchronous between the arrival of a task and its answer, so tasks never interleave.

import { move, Piscina, workerData } from 'piscina';
import { Counters, STAT } from '../core/counters.js';
import { InvestmentIds } from '../core/ids.js';
import { LOOP_DELAY_REPORT_MS } from '../core/limits.js';
import type { RoundDefinition } from '../core/round.js';
import { openIndex } from './index-db.js';
import { FrameBuilder } from './journal-frame.js';
import { JournalHead } from './journal-head.js';
import { JournalFailed, JournalWriter } from './journal-writer.js';
import { LoopDelayMonitor } from './loop-delay.js';
import { applyOutcomes } from './outcome-applier.js';
import type { BatchResult, BatchTask, ControlResult, ControlTask, ShardOptions } from './protocol.js';
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
const clock = () => Date.now();
const ids = new InvestmentIds(options.lineage);
const shard = new Shard(options, {
  counters,
  index,
  writer,
  stats: new ShardStats(counters.stats(options.shard)),
  indexMark: () => counters.indexedSequence,
  clock,
});
const roundsById = new Map<string, RoundDefinition>(options.rounds.map((round) => [round.id, round]));

const loopDelays = new LoopDelayMonitor();
const stats = counters.stats(options.shard);
setInterval(() => {
  const { p50S, p99S, maxS } = loopDelays.read(performance.now());
  stats[STAT.loopP50S] = p50S;
  stats[STAT.loopP99S] = p99S;
  stats[STAT.loopMaxS] = maxS;
}, LOOP_DELAY_REPORT_MS).unref();

/** The slabs go back by transfer. */
function moved(result: BatchResult): unknown {
  const both = {
    get [Piscina.transferableSymbol]() {
      return [result.requests, result.answers];
    },
    get [Piscina.valueSymbol]() {
      return result;
    },
  };
  // The types know one transferable at a time; piscina itself takes a list.
  return move(both as unknown as ArrayBuffer);
}

function runBatch(task: BatchTask): unknown {
  try {
    return moved(shard.process(task));
  } catch (error) {
    if (!(error instanceof JournalFailed)) throw error;
    return moved({ requests: task.requests, answers: task.answers, count: 0, failed: true });
  }
}

function runControl(task: ControlTask): ControlResult<ControlTask> {
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
      roundsById.set(task.definition.id, task.definition);
      return { done: true };
    case 'outcomes':
      return journaled(() => {
        shard.investors.begin(counters.indexedSequence);
        const roundById = (id: string) => roundsById.get(id);
        const modules = {
          counters,
          index,
          writer,
          frame,
          investors: shard.investors,
          ids,
          roundById,
        };
        return { applied: applyOutcomes(task.outcomes, modules, clock()) };
      });
    case 'refresh':
      shard.investors.begin(counters.indexedSequence);
      for (const investor of task.investors) shard.investors.refresh(investor);
      return { done: true };
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

/** Piscina's entry: one batch or one control task. */
export function run(task: BatchTask | ControlTask): unknown {
  return task.kind === 'batch' ? runBatch(task) : runControl(task);
}
