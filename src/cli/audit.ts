// `openbell audit`: asks the edge to compare journal, queue, ledger and watermark, and names each difference.

import { EXIT } from '../core/exit-codes.js';
import { readArguments } from './arguments.js';
import { EDGE_OPTIONS, edgeClient } from './edge-client.js';
import { fail } from './failure.js';
import { printJson, printLine } from './output.js';

const SPEC = {
  name: 'audit',
  positionals: [],
  summary: 'Compare journal, queue, ledger and watermark; exit 1 if anything differs.',
  options: EDGE_OPTIONS,
} as const;

interface AuditAnswer {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly differences: readonly {
    readonly kind: string;
    readonly investment?: string;
    readonly detail: string;
  }[];
}

export async function auditCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const client = edgeClient(parsed.value.values, env);
  if (!client.ok) return fail(client.error);
  const answer = await client.value.call('GET', '/admin/v1/audit');
  if (!answer.ok) return fail(answer.error);
  const audit = answer.value as AuditAnswer;
  if (parsed.value.values.json === true) printJson(audit);
  else printAudit(audit);
  return audit.ok && audit.differences.length === 0 ? EXIT.done : EXIT.checkFailed;
}

function printAudit({ ok, checks, differences }: AuditAnswer): void {
  const width = Math.max(0, ...checks.map((check) => check.name.length));
  for (const check of checks)
    printLine(`${check.ok ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(width)}  ${check.detail}`);
  for (const { kind, investment, detail } of differences) {
    printLine(`DIFF  ${kind}${investment === undefined ? '' : `  ${investment}`}  ${detail}`);
  }
  const sum = differences.length === 1 ? '1 difference' : `${differences.length} differences`;
  printLine(ok && differences.length === 0 ? 'no difference' : sum);
}
