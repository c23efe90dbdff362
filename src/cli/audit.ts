// `openbell audit`: asks the edge to compare journal, queue, ledger and watermark, and names each difference.

import { EXIT } from '../core/exit-codes.js';
import type { EdgeAuditReport } from '../edge/audit-report.js';
import { readArguments } from './arguments.js';
import { EDGE_OPTIONS, edgeClient } from './edge-client.js';
import { fail } from './failure.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'audit',
  positionals: [],
  summary: 'Compare journal, queue, NSQ, Cassandra, ledger and watermark; exit 1 if anything differs.',
  options: EDGE_OPTIONS,
} as const;

export async function auditCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const client = edgeClient(parsed.value.values, env);
  if (!client.ok) return fail(client.error);
  const answer = await client.value.call('GET', '/admin/v1/audit');
  if (!answer.ok) return fail(answer.error);
  const audit = answer.value as EdgeAuditReport;
  if (parsed.value.values.json === true) printJson(audit);
  else printAudit(audit);
  return audit.ok && audit.differenceCount === 0 ? EXIT.done : EXIT.checkFailed;
}

function printAudit({ ok, checks, differences, differenceCount, totals }: EdgeAuditReport): void {
  const width = Math.max(0, ...checks.map((check) => check.name.length));
  for (const { name, ok: isGood, detail } of checks) {
    printLine(`${isGood ? 'ok  ' : 'FAIL'}  ${name.padEnd(width)}  ${detail}`);
  }
  for (const { kind, investment, detail } of differences) {
    printLine(`DIFF  ${kind}${investment === undefined ? '' : `  ${investment}`}  ${detail}`);
  }
  const { accepted, settled, declined, waiting } = totals;
  printLine(
    `${accepted} accepted: ${settled} settled, ${declined} declined, ${waiting} waiting for the ledger`,
  );
  const failed = checks.filter((check) => !check.ok).length;
  const isClean = ok && differenceCount === 0;
  printLine(
    isClean
      ? 'no difference'
      : `checks failed: ${failed} of ${checks.length}; differences: ${differenceCount}`,
  );
}
