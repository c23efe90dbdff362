// The index held against the journal, row by row as the audit walks it.
//
// What is compared is the index as of a mark M that is read at the start, with its totals and the length of its outbox:
// the journal's totals at M must be the same (so those at any later sequence are the index's plus the tail, I8). Rows up
// to M are in the index for good, and an outcome never changes again: so a look-up that comes later, when the index has
// gone on, must find the same. Beyond AUDIT_INDEX_ROWS_MAX rows only every n-th row is looked up. No memory is needed.

import type { InvestmentIds } from '../core/ids.js';
import { AUDIT_INDEX_ROWS_MAX } from '../core/limits.js';
import {
  aboutInvestment,
  type OutcomeRow,
  type Row,
  STICKY_VERDICTS,
  type VerdictRow,
} from '../core/rows.js';
import type { Findings } from './audit-findings.js';
import { IndexDamage, isIndexDamage } from './index-damage.js';
import type { IndexDb } from './index-db.js';
import type { RoundEntry } from './index-records.js';
import type { RoundTotals } from './journal-audit.js';

const FIELDS = ['admitted', 'investors', 'settled', 'settledCount', 'declined', 'declinedCount'] as const;
/** The indexer commits a few times a second, so the second try already finds it between two commits. */
const SNAPSHOT_TRIES_MAX = 20;

interface Snapshot {
  readonly mark: number;
  readonly rounds: readonly RoundEntry[];
  readonly outbox: number;
}

export class AuditIndex {
  readonly #index: IndexDb;
  readonly #ids: InvestmentIds;
  readonly #findings: Findings;
  readonly #snapshot: Snapshot | null;
  /** One row in so many is looked up. */
  readonly every: number;
  #checked = 0;
  #damaged = false;

  constructor(
    index: IndexDb,
    journalId: string,
    ids: InvestmentIds,
    findings: Findings,
    rowsMax: number = AUDIT_INDEX_ROWS_MAX,
  ) {
    this.#index = index;
    this.#ids = ids;
    this.#findings = findings;
    this.#snapshot = this.#guarded(() => takeSnapshot(index, journalId));
    let rows = 0;
    for (const { totals } of this.#snapshot?.rounds ?? []) {
      for (const name of STICKY_VERDICTS) rows += totals.verdicts[name];
      rows += totals.settledCount + totals.declinedCount;
    }
    this.every = Math.max(1, Math.ceil(rows / rowsMax));
  }

  /** The sequence up to which the index is compared; -1 when it cannot be read. */
  get mark(): number {
    return this.#snapshot?.mark ?? -1;
  }

  /** Rows that were looked up. */
  get checked(): number {
    return this.#checked;
  }

  /** Sees the index's newest commit from now on, and lets go of old pages. */
  refresh(): void {
    this.#index.refresh();
  }

  /** Looks the row up, if it is up to the mark and its turn. */
  check(row: Row): void {
    if (
      this.#damaged ||
      row.sequence > this.mark ||
      (row.kind !== 'verdict' && row.kind !== 'outcome') ||
      row.sequence % this.every !== 0
    )
      return;
    this.#checked += 1;
    const wrong = this.#guarded(() => (row.kind === 'verdict' ? this.#verdict(row) : this.#outcome(row)));
    if (wrong === null) return;
    const about = aboutInvestment(row);
    this.#findings.add({
      kind: 'index-row',
      investment: this.#ids.idOf(about),
      detail: wrong,
    });
  }

  /** Compares with what the journal adds up to at the mark. */
  checkTotals(journal: readonly RoundTotals[]): void {
    const { rounds, outbox, mark } = this.#snapshot ?? { rounds: [], outbox: 0, mark: 0 };
    const compare = (
      kind: 'index-totals' | 'queue-depth',
      round: string,
      what: string,
      has: unknown,
      is: unknown,
    ) => {
      if (has === is) return;
      const detail = `${round === '' ? '' : `${round}: `}${what} is ${has} in the index, and ${is} in the journal up to sequence ${mark} (I8)`;
      this.#findings.add({ kind, ...(round === '' ? {} : { round }), detail });
    };
    const entries = new Map(rounds.map((entry) => [entry.definition.number, entry]));
    let waiting = 0;
    for (const totals of journal) {
      const entry = entries.get(totals.number);
      entries.delete(totals.number);
      waiting += totals.verdicts.accepted - totals.settledCount - totals.declinedCount;
      compare('index-totals', totals.id, 'the id', entry?.definition.id, totals.id);
      compare('index-totals', totals.id, 'the cap', entry?.definition.cap, totals.cap);
      for (const field of FIELDS)
        compare('index-totals', totals.id, field, entry?.totals[field], totals[field]);
      for (const name of STICKY_VERDICTS) {
        compare('index-totals', totals.id, name, entry?.totals.verdicts[name], totals.verdicts[name]);
      }
    }
    for (const { definition } of entries.values()) {
      this.#findings.add({
        kind: 'index-totals',
        round: definition.id,
        detail: `${definition.id}: the journal has no such round`,
      });
    }
    compare('queue-depth', '', 'the number of accepted investments without an outcome', outbox, waiting);
  }

  #verdict(row: VerdictRow): string | null {
    const { sequence, round, investor, key } = row;
    const keyed = this.#index.getSequenceByKey(round, investor, key);
    if (keyed === 0) return `key ${key} of ${investor} is not in the index`;
    if (keyed !== sequence) return `key ${key} of ${investor} leads to ${keyed} in the index`;
    const stored = this.#index.getRow(round, investor, sequence);
    if (stored === undefined) return `the row of ${investor} is not in the index`;
    for (const field of ['verdict', 'amount', 'extra', 'at', 'key'] as const) {
      if (stored[field] !== row[field]) return `${field} is ${stored[field]} in the index, not ${row[field]}`;
    }
    if (row.verdict !== 'accepted') return null;
    // From the same snapshot as the row, so both speak of the same moment.
    const live = this.#index.getInvestor(investor)?.rounds.find((part) => part.round === round)?.live;
    if (stored.state === 'declined' ? live !== sequence : live === sequence) return null;
    return `it is ${stored.state}, but the live investment of ${investor} in the index is ${live ?? 0}`;
  }

  #outcome(row: OutcomeRow): string | null {
    const stored = this.#index.getRow(row.round, row.investor, row.investment);
    if (stored === undefined) return `the row of ${row.investor} is not in the index`;
    if (stored.state !== row.state || stored.reason !== row.reason || stored.outcomeAt !== row.at) {
      return `it is ${stored.state} in the index, not ${row.state} as of row ${row.sequence}`;
    }
    return null;
  }

  /** Damage is found once; what it makes impossible to read is not read again. */
  #guarded<T>(read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (!isIndexDamage(error)) throw error;
      this.#damaged = true;
      this.#findings.add({ kind: 'index-damaged', detail: error.message });
      return null;
    }
  }
}

/** Mark, totals and outbox of one moment: what changes one of them changes the mark in the same transaction. */
function takeSnapshot(index: IndexDb, journalId: string): Snapshot {
  for (let tries = 0; tries < SNAPSHOT_TRIES_MAX; tries++) {
    index.refresh();
    const before = index.readMark();
    if (before === undefined) throw new IndexDamage('it has no mark');
    if (before.journalId !== journalId)
      throw new IndexDamage(`it is the index of journal ${before.journalId}`);
    const rounds = index.readRounds();
    const outbox = index.outboxCount();
    index.refresh();
    const { nextSequence } = before.position;
    if (index.readMark()?.position.nextSequence === nextSequence)
      return { mark: nextSequence - 1, rounds, outbox };
  }
  throw new IndexDamage('its mark does not stand still');
}
