// The ledger's side of an audit: asked through its admin port, compared in the upkeep thread page by page. The order of
// reads is argued in workers/audit-ledger.ts.

import { AUDIT_LEDGER_PAGE } from '../core/limits.js';
import { err, ok, type Result } from '../core/result.js';
import type { Findings } from '../workers/audit-findings.js';
import type { LedgerRoundSum, LedgerTally } from '../workers/audit-ledger.js';
import type { LedgerClient, LedgerSummary } from './ledger-client.js';
import type { UpkeepClient } from './upkeep-client.js';

export interface LedgerSources {
  readonly client: Pick<LedgerClient, 'summary' | 'outcomes'>;
  readonly upkeep: Pick<UpkeepClient, 'run'>;
  /** Has the audit read the journal to what is durable now. */
  readonly catchUp: () => Promise<void>;
}

/**
 * Has every outcome compared that the ledger holds when it is asked. The journal must have been read to some sequence
 * before. An error says why the ledger could not be read, and what to do.
 */
export async function readLedger({
  client,
  upkeep,
  catchUp,
}: LedgerSources): Promise<Result<LedgerSummary, string>> {
  await upkeep.run({ kind: 'audit-ledger-opens' });
  const summary = await client.summary();
  if (!summary.ok) return summary;
  let told = 0;
  let after = '0';
  let isMore = true;
  while (isMore && told < summary.value.outcomes) {
    const body = await client.outcomes(after, Math.min(AUDIT_LEDGER_PAGE, summary.value.outcomes - told));
    if (!body.ok) return body;
    await catchUp();
    const page = await upkeep.run({ kind: 'audit-ledger', page: body.value });
    if (!page.ok) return err(page.error);
    told += page.value.outcomes;
    after = page.value.next;
    isMore = page.value.outcomes > 0;
  }
  return ok(summary.value);
}

/** Names what the ledger has died over and tries no more. */
export function noteQuarantined({ quarantined }: LedgerSummary, findings: Findings): void {
  for (const { id, deaths, since } of quarantined) {
    const detail = `in quarantine since ${since}: the ledger died ${deaths} times over it alone; mend the cause, then "openbell replay --quarantined"`;
    findings.add({ kind: 'ledger-quarantined', investment: id, detail });
  }
}

/** Checks that the books add up: by themselves, and with the outcomes that were told. */
export function checkBooks(summary: LedgerSummary, tally: LedgerTally, findings: Findings): void {
  if (summary.entriesSum !== 0) {
    findings.add({
      kind: 'books-sum',
      detail: `all entries of the ledger sum to ${summary.entriesSum}, not to 0 (I6)`,
    });
  }
  if (summary.outcomes !== tally.outcomes) {
    const detail = `the ledger counts ${summary.outcomes} outcomes and tells ${tally.outcomes}`;
    findings.add({ kind: 'books-outcomes', detail });
  }
  const sums = new Map(tally.rounds.map((sum) => [sum.round, sum]));
  for (const { round, settled, settledCount, escrow, transferred } of summary.rounds) {
    if (escrow !== settled + transferred) {
      const by = transferred === 0 ? '' : ` and ${transferred} were transferred by hand`;
      const detail = `${round}: the escrow holds ${escrow}, but ${settled} were settled${by} (I6)`;
      findings.add({ kind: 'books-escrow', round, detail });
    }
    checkSettled(findings, sums.get(round) ?? { round, settled: 0, settledCount: 0 }, settled, settledCount);
    sums.delete(round);
  }
  for (const sum of sums.values()) checkSettled(findings, sum, 0, 0);
  for (const { invariant, detail } of summary.faults ?? []) {
    findings.add({ kind: 'books-fault', detail: `${detail} (${invariant})` });
  }
}

function checkSettled(findings: Findings, sum: LedgerRoundSum, settled: number, settledCount: number): void {
  if (sum.settled === settled && sum.settledCount === settledCount) return;
  const told = `${settled} in ${settledCount} investments`;
  const detail = `${sum.round}: the ledger's total is ${told}, its outcomes make ${sum.settled} in ${sum.settledCount}`;
  findings.add({ kind: 'books-settled', round: sum.round, detail });
}
