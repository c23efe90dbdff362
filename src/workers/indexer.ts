// The piscina worker of the indexer: a pool of one thread, which is the only writer of the index. Run it with atomics
// 'disabled': its retries wait on timers. One task at a time; `recover` is the first, `close` the last.

import { workerData } from 'piscina';
import { assert, must } from '../core/assert.js';
import { ok } from '../core/result.js';
import type { IndexerOptions, IndexerResult, IndexerTask, RecoverTask } from './indexer-protocol.js';
import { JournalIndexer } from './journal-indexer.js';

const options = workerData as IndexerOptions;
let recovered: JournalIndexer | null = null;

async function recover(task: RecoverTask): Promise<IndexerResult<RecoverTask>> {
  assert(recovered === null, 'an indexer recovers once');
  const recovery = await JournalIndexer.recover(options, task.floorSequence);
  if (!recovery.ok) return recovery;
  recovered = recovery.value.indexer;
  return ok(recovery.value.report);
}

const indexer = (): JournalIndexer => must(recovered, 'a recovered index');

/** Piscina's entry. */
export async function run(task: IndexerTask): Promise<IndexerResult<IndexerTask>> {
  switch (task.kind) {
    case 'recover':
      return recover(task);
    case 'catch-up':
      return indexer().catchUp();
    case 'balances':
      return indexer().balances(task.lines);
    case 'balance-messages':
      return indexer().balanceMessages(task.messages);
    case 'investor':
      return indexer().investor(task.investor);
    case 'self-check':
      return indexer().selfCheck();
    case 'close':
      return indexer().close();
  }
}
