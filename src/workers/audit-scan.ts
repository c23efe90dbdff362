// One audit of the data of this node, in the upkeep thread, while the node admits: the journal from its first row on,
// with what it shows by itself (journal-audit.ts), the index against it (audit-index.ts) and the ledger against it
// (audit-ledger.ts). It only reads, and never beyond what is synced.

import { must } from '../core/assert.js';
import { InvestmentIds, type Lineage } from '../core/ids.js';
import { describeDamage, journalStart } from '../core/journal-format.js';
import { AUDIT_SLICE_ROWS } from '../core/limits.js';
import type { Result } from '../core/result.js';
import { forEachRow } from '../core/row-codec.js';
import { aboutInvestment, type RoundRow, type Row } from '../core/rows.js';
import { AcceptedTable, outcomeCode } from './audit-accepted.js';
import { type FindingKind, Findings } from './audit-findings.js';
import { AuditIndex } from './audit-index.js';
import { AuditLedger, type LedgerPage } from './audit-ledger.js';
import type { IndexDb } from './index-db.js';
import { type AuditProblem, JournalAuditor, type RoundTotals } from './journal-audit.js';
import { type JournalFrame, JournalReader } from './journal-reader.js';
import { isZeroFrom } from './journal-tail.js';
import type { AuditEnd, ScanProgress, TotalsAt } from './upkeep-protocol.js';

export interface AuditPlaces {
  readonly journalDir: string;
  readonly journalId: string;
  readonly lineage: Lineage;
  readonly index: IndexDb;
}

const KINDS: Readonly<Record<AuditProblem['invariant'], FindingKind>> = {
  I1: 'journal-over-cap',
  I3: 'journal-second-verdict',
  I4: 'journal-second-live',
  I5: 'journal-outcome',
  round: 'journal-round',
  lineage: 'journal-lineage',
};

export class AuditScan {
  readonly #dir: string;
  readonly #ids: InvestmentIds;
  readonly #reader: JournalReader;
  readonly #findings = new Findings();
  readonly #auditor = new JournalAuditor();
  readonly #accepted = new AcceptedTable();
  readonly #labels = new Map<number, { readonly id: string; readonly currency: string }>();
  readonly #index: AuditIndex;
  readonly #ledger: AuditLedger;
  #position = 0;
  #frames = 0;
  #epoch = 0;
  #namedProblems = 0;
  #damaged = false;
  /** Where the journal had been read to when the ledger was opened. */
  #ledgerOpenedAt = Number.POSITIVE_INFINITY;

  constructor({ journalDir, journalId, lineage, index }: AuditPlaces) {
    this.#dir = journalDir;
    this.#ids = new InvestmentIds(lineage);
    this.#reader = new JournalReader(journalDir, journalId, journalStart(journalId));
    this.#index = new AuditIndex(index, journalId, this.#ids, this.#findings);
    this.#ledger = new AuditLedger(this.#ids, this.#accepted, this.#labels, this.#findings);
    this.#atMark();
  }

  /** The sequence up to which the index is compared. */
  get mark(): number {
    return this.#index.mark;
  }

  /** Reads on; see AuditScanTask. */
  scan(toSequence: number, totalsAt: readonly number[], rowsMax: number = AUDIT_SLICE_ROWS): ScanProgress {
    const wanted = new Set(totalsAt);
    const totals: TotalsAt[] = [];
    const note = () => {
      if (wanted.has(this.#position)) totals.push({ sequence: this.#position, rounds: this.#totals() });
    };
    note();
    this.#index.refresh();
    const end = this.#position + rowsMax;
    while (!this.#damaged && this.#position < toSequence && this.#position < end) {
      this.#readFrame(toSequence);
      note();
    }
    const done = this.#damaged || this.#position >= toSequence;
    return { sequence: this.#position, done, totals, damaged: this.#damaged };
  }

  /** The ledger is asked from now on. */
  openLedger(): void {
    this.#ledgerOpenedAt = this.#position;
  }

  /** Compares a page of outcomes of the ledger. */
  ledgerPage(body: Uint8Array): Result<LedgerPage, string> {
    return this.#ledger.take(body);
  }

  /** Ends the audit. */
  finish(ledgerWhole: boolean): AuditEnd {
    this.close();
    this.#findings.addUnnamed('journal-more', this.#auditor.problemCount - this.#namedProblems);
    const ledger = this.#ledger.finish(ledgerWhole);
    return {
      findings: this.#findings.all(),
      sequence: this.#position,
      frames: this.#frames,
      rounds: this.#totals(),
      index: { mark: this.#index.mark, checked: this.#index.checked, every: this.#index.every },
      ledger,
      unchecked: { ...this.#auditor.unchecked, accepted: this.#accepted.leftOut },
    };
  }

  /** Closes the file that is being read; the last call. */
  close(): void {
    this.#reader.close();
  }

  #readFrame(toSequence: number): void {
    const before = this.#reader.position();
    const read = this.#reader.next(toSequence);
    if (!read.ok) {
      this.#damage(describeDamage(read.error));
      return;
    }
    const frame = must(read.value, 'a frame before the sequence to reach');
    const { firstSequence, count, epoch } = frame.header;
    if (frame.segment !== before.segment && !isZeroFrom(this.#dir, before.segment, before.offset)) {
      this.#damageIn(frame, `bytes behind the last frame of segment ${before.segment}`);
    } else if (epoch < this.#epoch) {
      this.#damageIn(frame, `frame is of epoch ${epoch}, after epoch ${this.#epoch}`);
    }
    if (this.#damaged) return;
    this.#epoch = epoch;
    const rows = forEachRow(frame.payload, firstSequence, count, (row) => this.#row(row));
    if (!rows.ok) {
      this.#damageIn(frame, rows.error);
      return;
    }
    this.#frames += 1;
    this.#position = firstSequence + count - 1;
    this.#atMark();
  }

  #row(row: Row): void {
    const before = this.#auditor.problemCount;
    this.#auditor.add(row);
    if (this.#auditor.problemCount > before) this.#problems(row, before);
    this.#index.check(row);
    if (row.kind === 'round') {
      this.#labels.set(row.definition.number, { id: row.definition.id, currency: row.definition.currency });
    } else if (row.kind === 'verdict') {
      if (row.verdict === 'accepted') this.#accepted.add(row);
    } else if (row.kind === 'outcome') {
      const at = this.#accepted.find(row.investment);
      const late = row.sequence > this.#ledgerOpenedAt;
      if (at >= 0) this.#accepted.setJournal(at, outcomeCode(row.state, row.reason), late);
    }
  }

  #problems(row: Row, before: number): void {
    const about = aboutInvestment(row);
    const round = row.kind === 'round' ? row.definition.id : this.#roundOf(row);
    for (const { invariant, detail } of this.#auditor.problems.slice(before)) {
      this.#namedProblems += 1;
      this.#findings.add({
        kind: KINDS[invariant],
        ...(about === 0 ? {} : { investment: this.#ids.idOf(about) }),
        ...(round === undefined ? {} : { round }),
        detail: `row ${row.sequence}: ${detail}${invariant.startsWith('I') ? ` (${invariant})` : ''}`,
      });
    }
  }

  #roundOf(row: Exclude<Row, RoundRow>): string | undefined {
    return row.kind === 'lineage' ? undefined : this.#labels.get(row.round)?.id;
  }

  #atMark(): void {
    if (this.#position === this.#index.mark) this.#index.checkTotals(this.#auditor.totals());
  }

  /** Copies, for the auditor goes on counting in its own. */
  #totals(): RoundTotals[] {
    return this.#auditor.totals().map((totals) => ({ ...totals, verdicts: { ...totals.verdicts } }));
  }

  #damageIn({ segment, offset, header }: JournalFrame, reason: string): void {
    this.#damage(describeDamage({ segment, offset, expectedSequence: header.firstSequence, reason }));
  }

  #damage(detail: string): void {
    this.#damaged = true;
    this.#findings.add({ kind: 'journal-damaged', detail });
  }
}
