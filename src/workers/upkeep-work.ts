// What the upkeep thread does, apart from being a thread.

import { must } from '../core/assert.js';
import { JOURNAL_SEGMENTS_AHEAD } from '../core/limits.js';
import { AuditScan } from './audit-scan.js';
import { type IndexDb, openIndex } from './index-db.js';
import { JournalHead } from './journal-head.js';
import { preallocateSegments } from './journal-segments.js';
import type { UpkeepAnswer, UpkeepOptions, UpkeepTask } from './upkeep-protocol.js';

export class UpkeepWork {
  readonly #options: UpkeepOptions;
  readonly #head: JournalHead;
  /** Opened by the first audit, and then kept: LMDB shares it with the other threads. */
  #index: IndexDb | null = null;
  #audit: AuditScan | null = null;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#head = new JournalHead(options.journalHead);
  }

  run<T extends UpkeepTask>(task: T): UpkeepAnswer<T>;
  run(task: UpkeepTask): UpkeepAnswer<UpkeepTask> {
    switch (task.kind) {
      case 'preallocate': {
        const { journalDir, segmentBytes } = this.#options;
        return preallocateSegments(journalDir, this.#head, segmentBytes, JOURNAL_SEGMENTS_AHEAD);
      }
      case 'audit-start': {
        const { journalDir, lineage } = this.#options;
        this.#audit?.close();
        this.#audit = new AuditScan({
          journalDir,
          journalId: this.#head.journalId,
          lineage,
          index: this.#openIndex(),
        });
        return { mark: this.#audit.mark };
      }
      case 'audit-scan':
        return this.#begun().scan(task.toSequence, task.totalsAt);
      case 'audit-ledger-opens':
        this.#begun().openLedger();
        return null;
      case 'audit-ledger':
        return this.#begun().ledgerPage(task.page);
      case 'audit-finish': {
        const audit = this.#begun();
        this.#audit = null;
        return audit.finish(task.ledgerWhole);
      }
    }
  }

  #begun(): AuditScan {
    return must(this.#audit, 'an audit that has been started');
  }

  #openIndex(): IndexDb {
    if (this.#index === null) {
      const opened = openIndex(this.#options.indexDir, { readOnly: true });
      if (!opened.ok) throw new Error(`the index cannot be opened: ${opened.error}`);
      this.#index = opened.value;
    }
    return this.#index;
  }
}
