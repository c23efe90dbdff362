// The piscina worker of the replicator: a pool of one thread, whose event loop belongs to the Cassandra driver. It lives
// here and not in `workers/`, because it is the one thread that speaks to an engine. Run it with atomics 'disabled'.

import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'piscina';
import type { Result } from '../core/result.js';
import { CassandraRowStore } from '../engines/cassandra/row-store.js';
import { JournalHead } from '../workers/journal-head.js';
import { monotonicMs, nowMs } from './clocks.js';
import { ReplicationWords } from './replication-words.js';
import { Replicator } from './replicator.js';
import type {
  CompareTask,
  FollowTask,
  ReplicatorNews,
  ReplicatorOptions,
  ReplicatorOrder,
} from './replicator-protocol.js';
import { compareRows, type RowsCompared } from './row-compare.js';

const options = workerData as ReplicatorOptions;
const head = new JournalHead(options.journalHead);

async function follow({ port }: FollowTask): Promise<void> {
  const store = new CassandraRowStore(options.cassandra, options.cluster);
  const replicator = new Replicator(options, {
    store,
    words: new ReplicationWords(options.words),
    durable: () => head.durableSequence,
    rounds: options.rounds,
    tell: (news: ReplicatorNews) => port.postMessage(news),
    nowMs,
    monotonicMs,
    random: Math.random,
  });
  port.on('message', (order: ReplicatorOrder) => {
    if (order === 'wake') replicator.wake();
    else replicator.stop();
  });
  try {
    await replicator.follow();
  } finally {
    port.close();
    await store.close();
  }
}

async function compare({ upTo, repair }: CompareTask): Promise<Result<RowsCompared, string>> {
  const store = new CassandraRowStore(options.cassandra, options.cluster);
  try {
    return await compareRows({ places: options, store, upTo, repair, nowMs, delay });
  } finally {
    await store.close();
  }
}

/** Piscina's entry. */
export function run(task: FollowTask | CompareTask): Promise<unknown> {
  return task.kind === 'follow' ? follow(task) : compare(task);
}
