// The audit of a running node: journal, index, queue, counters, watermark and ledger, each held against the journal.
//
// Nothing is stopped for it. Each comparison is of two things whose order in time is known, so that what happens
// meanwhile is never taken for a difference:
//
//   index      as of its own mark, which the walk through the journal passes (workers/audit-index.ts)
//   counters   within what the journal shows to have been on its way at that moment (audit-counters.ts)
//   watermark  read before the durable sequence, which only grows
//   nsq        between two readings of what was published and has no outcome (audit-nsq.ts)
//   rows       up to what was replicated before they are read (row-compare.ts, in the replicator thread)
//   ledger     between two readings of the journal (workers/audit-ledger.ts)
//
// The work is done in the upkeep thread, in slices; this thread only asks and waits.

import type { Logger } from 'pino';
import type { Counters } from '../core/counters.js';
import { AUDIT_SAMPLES_MAX } from '../core/limits.js';
import type { Problem } from '../core/problem.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import type { Watermark } from '../engines/watermark.js';
import { Findings } from '../workers/audit-findings.js';
import type { JournalHead } from '../workers/journal-head.js';
import type { TotalsAt } from '../workers/upkeep-protocol.js';
import type { AuditRunner } from './admin-ops.js';
import { compareCounters, sampleCounters, sequencesOf } from './audit-counters.js';
import { checkBooks, noteQuarantined, readLedger } from './audit-ledger.js';
import { type NsqSources, readNsq } from './audit-nsq.js';
import { type AuditCourse, auditReport, type EdgeAuditReport } from './audit-report.js';
import { checkWatermark } from './audit-watermark.js';
import { monotonicMs, nowMs } from './clocks.js';
import { LedgerClient, type LedgerClientConfig } from './ledger-client.js';
import type { ReplicatorClient } from './replicator-client.js';
import type { RowsCompared } from './row-compare.js';
import type { UpkeepClient } from './upkeep-client.js';

export interface EdgeAuditModules {
  readonly config: LedgerClientConfig;
  readonly upkeep: Pick<UpkeepClient, 'run'>;
  readonly counters: Counters;
  readonly head: Pick<JournalHead, 'durableSequence' | 'failure' | 'journalId'>;
  readonly rounds: { list(): readonly RoundDefinition[] };
  /** Resolves when every task that was at a shard has ended. */
  readonly barrier: () => Promise<void>;
  /** The watermark as it is stored. */
  readonly watermark: () => Promise<Result<Watermark | null, string>>;
  readonly epoch: number;
  /** The rows in Cassandra; null without it. */
  readonly rows: Pick<ReplicatorClient, 'compare'> | null;
  /** NSQ; null without it. */
  readonly nsq: NsqSources | null;
  readonly logger: Logger;
}

export class EdgeAudit implements AuditRunner {
  readonly #modules: EdgeAuditModules;

  constructor(modules: EdgeAuditModules) {
    this.#modules = modules;
  }

  /** One audit; one at a time. An error means that it could not be made, not that it found something. */
  async run(): Promise<Result<EdgeAuditReport, Problem>> {
    const client = new LedgerClient(this.#modules.config, nowMs);
    try {
      return ok(auditReport(await this.#course(client)));
    } catch (error) {
      this.#modules.logger.error({ err: error }, 'audit: it could not be made');
      return err({ code: 'internal', detail: 'The audit could not be made; the log of the node says why.' });
    } finally {
      await client.close();
    }
  }

  async #course(client: LedgerClient): Promise<AuditCourse> {
    const { upkeep, head, watermark, epoch, config } = this.#modules;
    const startedMs = monotonicMs();
    const findings = new Findings();
    const earlier = await watermark();
    await upkeep.run({ kind: 'audit-start' });
    const first = await this.#scan(head.durableSequence, []);
    const tookMs = monotonicMs() - startedMs;
    const failure = head.failure;
    if (failure !== null) {
      const detail = `its ${failure} has failed: this process admits nothing any more, start the node again`;
      findings.add({ kind: 'journal-failed', detail });
    }
    const counters = first === null || failure !== null ? null : await this.#counters(findings);
    const catchUp = async (): Promise<void> => {
      await this.#scan(head.durableSequence, []);
    };
    const rows = first === null ? null : await this.#compareRows(findings);
    const read = first === null ? null : await readLedger({ client, upkeep, catchUp });
    const quarantined = read?.ok === true ? read.value.quarantined.map(({ id }) => id) : [];
    const nsq = this.#modules.nsq === null ? null : await readNsq(this.#modules.nsq, quarantined, findings);
    await catchUp();
    const later = await watermark();
    const end = await upkeep.run({ kind: 'audit-finish', ledgerWhole: read?.ok === true });
    findings.merge(end.findings);
    if (read?.ok === true) {
      noteQuarantined(read.value, findings);
      checkBooks(read.value, end.ledger, findings);
    }
    const own = { journalId: head.journalId, epoch, durable: head.durableSequence };
    return {
      atMs: nowMs(),
      tookMs,
      end,
      findings,
      counters,
      nsq,
      rows,
      watermark: checkWatermark(earlier, later, own, findings),
      ledgerUrl: config.ledgerUrl,
      ledger: read === null ? null : read.ok ? read.value : read.error,
    };
  }

  /** Has the rows in Cassandra compared; null without it, a string where that could not be done. */
  async #compareRows(findings: Findings): Promise<RowsCompared | string | null> {
    const compared = (await this.#modules.rows?.compare(false)) ?? null;
    if (compared === null) return null;
    if (!compared.ok) return compared.error;
    findings.merge(compared.value.findings);
    return compared.value;
  }

  /** Reads the journal on, slice by slice; the totals that were asked for, or null when it is damaged. */
  async #scan(toSequence: number, totalsAt: readonly number[]): Promise<readonly TotalsAt[] | null> {
    const totals: TotalsAt[] = [];
    let isDone = false;
    // Each slice reads at least a frame, or is done.
    while (!isDone) {
      const slice = await this.#modules.upkeep.run({ kind: 'audit-scan', toSequence, totalsAt });
      totals.push(...slice.totals);
      if (slice.damaged) return null;
      isDone = slice.done;
    }
    return totals;
  }

  /** Holds the counters against the journal until it has stood still once, or they differ, or often enough. */
  async #counters(findings: Findings): Promise<AuditCourse['counters']> {
    const { counters, head, rounds, barrier } = this.#modules;
    const sources = { counters, rounds: () => rounds.list(), durable: () => head.durableSequence, barrier };
    let course: AuditCourse['counters'] = null;
    for (
      let i = 0;
      i < AUDIT_SAMPLES_MAX && findings.count('counters') === 0 && course?.isExact !== true;
      i++
    ) {
      const sample = await sampleCounters(sources);
      const totals = sample === null ? null : await this.#scan(sample.after, sequencesOf(sample));
      if (sample === null || totals === null || head.failure !== null) continue;
      const isExact = compareCounters(sample, totals, findings);
      course = { rounds: sample.rounds.length, sequence: sample.at, isExact };
    }
    return course;
  }
}
