// An audit as it is told: checks with what they covered, differences by name, and totals.

import type { Finding, Findings } from '../workers/audit-findings.js';
import type { RoundTotals } from '../workers/journal-audit.js';
import type { AuditEnd } from '../workers/upkeep-protocol.js';
import { describeNsq, type NsqCourse } from './audit-nsq.js';
import type { LedgerSummary } from './ledger-client.js';
import type { RowsCompared } from './row-compare.js';

export interface AuditCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface EdgeAuditReport {
  readonly ok: boolean;
  /** RFC 3339: when it had read everything. */
  readonly at: string;
  /** The journal was read up to here. */
  readonly sequence: number;
  readonly checks: readonly AuditCheck[];
  /** The first of each kind. */
  readonly differences: readonly Finding[];
  /** All of them. */
  readonly differenceCount: number;
  readonly totals: {
    readonly rounds: readonly RoundTotals[];
    /** Numbers of investments; `waiting`: accepted, and the ledger has not decided. */
    readonly accepted: number;
    readonly settled: number;
    readonly declined: number;
    readonly waiting: number;
    /** Decided by the ledger, and not yet in the journal. */
    readonly inTransit: number;
  };
}

/** What was looked at, for the report. */
export interface AuditCourse {
  readonly atMs: number;
  readonly tookMs: number;
  readonly end: AuditEnd;
  readonly findings: Findings;
  /** Null: not compared, because the journal has failed or is damaged. */
  readonly counters: { readonly rounds: number; readonly sequence: number; readonly isExact: boolean } | null;
  /** Null: there is no NSQ. */
  readonly nsq: NsqCourse | null;
  /** Null: there is no Cassandra, or the journal is damaged. A string: why its rows could not be read. */
  readonly rows: RowsCompared | string | null;
  readonly watermark: string;
  readonly ledgerUrl: string;
  /** Null: not asked, because the journal is damaged. A string: why the ledger could not be read. */
  readonly ledger: LedgerSummary | string | null;
}

/** The report of an audit that has come to its end. */
export function auditReport(course: AuditCourse): EdgeAuditReport {
  const { end, findings } = course;
  const checks = [journalCheck(course), indexCheck(course), queueCheck(course)];
  if (course.counters !== null) checks.push(countersCheck(course, course.counters));
  if (course.nsq !== null) checks.push(nsqCheck(course, course.nsq));
  if (course.rows !== null) checks.push(rowsCheck(course, course.rows));
  checks.push(check(findings, 'watermark', course.watermark));
  if (course.ledger !== null) checks.push(...ledgerChecks(course, course.ledger));
  const { list } = findings.all();
  const sum = (of: (round: RoundTotals) => number): number =>
    end.rounds.reduce((total, round) => total + of(round), 0);
  return {
    ok: checks.every((one) => one.ok) && findings.count() === 0,
    at: new Date(course.atMs).toISOString(),
    sequence: end.sequence,
    checks,
    differences: list,
    differenceCount: findings.count(),
    totals: {
      rounds: end.rounds,
      accepted: sum((round) => round.verdicts.accepted),
      settled: sum((round) => round.settledCount),
      declined: sum((round) => round.declinedCount),
      waiting: end.ledger.waiting,
      inTransit: end.ledger.inTransit,
    },
  };
}

/** A check that fails by the differences in its place. */
function check(findings: Findings, place: string, covered: string, name: string = place): AuditCheck {
  const count = findings.count(place);
  const found = count === 1 ? '1 difference' : `${count} differences`;
  return { name, ok: count === 0, detail: count === 0 ? covered : `${found}; ${covered}` };
}

function journalCheck({ findings, end, tookMs }: AuditCourse): AuditCheck {
  const { sequence, frames, unchecked } = end;
  const left: string[] = [];
  if (unchecked.keys > 0) left.push(`${unchecked.keys} keys`);
  if (unchecked.live > 0) left.push(`${unchecked.live} live investments`);
  if (unchecked.accepted > 0) left.push(`${unchecked.accepted} accepted ones`);
  const beyond =
    left.length === 0 ? '' : `; beyond the bounds of an audit, so not compared: ${left.join(', ')}`;
  const covered = `${sequence} rows in ${frames} frames, chained and dense, with I1 at every row, I3, I4 and I5`;
  return check(findings, 'journal', `${covered}, in ${(tookMs / 1000).toFixed(1)} s${beyond}`);
}

function indexCheck({ findings, end }: AuditCourse): AuditCheck {
  const { mark, checked, every } = end.index;
  const rows = every === 1 ? `all ${checked} of its rows` : `one row in ${every}, ${checked} in all`;
  return check(findings, 'index', `as of sequence ${mark}: totals (I8) and ${rows}`);
}

function queueCheck({ findings, end, ledger }: AuditCourse): AuditCheck {
  const { waiting, inTransit } = end.ledger;
  const back =
    typeof ledger === 'object' && ledger !== null ? `, ${inTransit} outcomes are on their way back` : '';
  return check(
    findings,
    'queue',
    `${waiting} wait for the ledger${back}; the outbox lists what has no outcome`,
  );
}

function countersCheck(
  { findings }: AuditCourse,
  { rounds, sequence, isExact }: NonNullable<AuditCourse['counters']>,
): AuditCheck {
  const how = isExact ? 'exact' : 'within what was on its way, for the journal never stood still';
  return check(findings, 'counters', `room and sums of ${rounds} rounds at sequence ${sequence}, ${how}`);
}

function nsqCheck({ findings }: AuditCourse, nsq: NsqCourse): AuditCheck {
  const { ok, ...told } = check(findings, 'nsq', describeNsq(nsq));
  return { ...told, ok: ok && nsq.view.unread.length === 0 };
}

function rowsCheck({ findings, end }: AuditCourse, rows: RowsCompared | string): AuditCheck {
  if (typeof rows === 'string') return { name: 'rows', ok: false, detail: `Cassandra: ${rows}` };
  const behind = end.sequence - rows.upTo;
  const lag = behind > 0 ? `, ${behind} newer ones were on their way` : '';
  return check(findings, 'rows', `${rows.upTo} rows in Cassandra, each against the journal${lag}`);
}

function ledgerChecks(
  { findings, end, ledgerUrl }: AuditCourse,
  ledger: LedgerSummary | string,
): AuditCheck[] {
  const reachable = 'ledger reachable';
  const { outcomes, foreign } = end.ledger;
  const others = foreign === 0 ? '' : `, ${foreign} of them of another journal`;
  const compared = `${outcomes} outcomes${others}: ids, amounts, investors and states`;
  if (typeof ledger === 'string') {
    const failed = { name: reachable, ok: false, detail: ledger };
    return findings.count('ledger') === 0 ? [failed] : [failed, check(findings, 'ledger', compared)];
  }
  const full =
    ledger.faults === null ? '; the ledger made no full check of its own' : ', no balance is below zero (I7)';
  return [
    { name: reachable, ok: true, detail: ledgerUrl },
    check(findings, 'ledger', compared),
    check(
      findings,
      'books',
      `entries sum to 0, every escrow is what was settled (I6)${full}`,
      'ledger books',
    ),
  ];
}
