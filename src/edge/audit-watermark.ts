// The watermark against the journal (I9, I10): it never falls, never exceeds what is synced, and is of this node.

import type { Result } from '../core/result.js';
import type { Watermark } from '../engines/watermark.js';
import type { Findings } from '../workers/audit-findings.js';

type Stored = Result<Watermark | null, string>;

/** What this node knows of itself; `durable` was read after both watermarks. */
export interface OwnMark {
  readonly journalId: string;
  readonly epoch: number;
  readonly durable: number;
}

/** Notes what is wrong with the watermark as it was read at two times, and says in words what was looked at. */
export function checkWatermark(earlier: Stored, later: Stored, own: OwnMark, findings: Findings): string {
  if (!later.ok) {
    findings.add({ kind: 'watermark-unreadable', detail: later.error });
    return 'not compared';
  }
  const watermark = later.value;
  if (watermark === null) return 'none has been written yet';
  const { journalId, sequence, epoch } = watermark;
  if (journalId !== own.journalId) {
    const detail = `it is of journal ${journalId}, and the journal here is ${own.journalId}`;
    findings.add({ kind: 'watermark-journal', detail });
  } else if (sequence > own.durable) {
    const detail = `it says that sequence ${sequence} was durable, and the journal ends at ${own.durable} (I9)`;
    findings.add({ kind: 'watermark-ahead', detail });
  }
  if (epoch > own.epoch) {
    const detail = `it is of epoch ${epoch}, and this node runs under ${own.epoch}: another one has taken over (I10)`;
    findings.add({ kind: 'watermark-epoch', detail });
  }
  const before = earlier.ok ? earlier.value : null;
  if (before !== null && before.journalId === journalId && sequence < before.sequence) {
    findings.add({
      kind: 'watermark-fell',
      detail: `it fell from sequence ${before.sequence} to ${sequence} (I9)`,
    });
  }
  return `sequence ${sequence} of epoch ${epoch}; ${own.durable} is durable`;
}
