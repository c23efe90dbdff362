// What a shard counts for the metrics, in its own block of shared memory (layout: core/counters.ts).

import { BATCH_SIZE_BUCKETS, COMMIT_MS_BUCKETS, STAT } from '../core/counters.js';
import type { ProblemCode } from '../core/problem.js';
import type { StickyVerdict } from '../core/rows.js';
import type { Reply } from './reply.js';

/** What a shard can answer an investment with, in the order of the counters. */
export const COUNTED_CODES: readonly (ProblemCode | 'accepted')[] = [
  'accepted',
  'unauthenticated',
  'too-many-requests',
  'malformed-request',
  'round-not-found',
  'idempotency-key-reused',
  'currency-mismatch',
  'amount-below-minimum',
  'amount-above-maximum',
  'round-not-open',
  'round-paused',
  'round-closed',
  'not-eligible',
  'already-invested',
  'insufficient-balance',
  'round-full',
];

const CODE_SLOT: ReadonlyMap<ProblemCode | 'accepted', number> = new Map(
  COUNTED_CODES.map((code, at) => [code, STAT.codeFirst + at] as const),
);

export class ShardStats {
  readonly #slots: Float64Array;

  constructor(slots: Float64Array) {
    this.#slots = slots;
  }

  countVerdict(verdict: StickyVerdict): void {
    this.#code(verdict);
  }

  countReplay(): void {
    this.#slots[STAT.replays]! += 1;
  }

  countReply(reply: Reply): void {
    if (reply.kind === 'replay') this.countReplay();
    else if (reply.kind === 'problem') this.#code(reply.problem.code);
  }

  #code(code: ProblemCode | 'accepted'): void {
    const slot = CODE_SLOT.get(code);
    if (slot !== undefined) this.#slots[slot]! += 1;
  }

  countBatch(
    requests: number,
    rows: number,
    startedNs: bigint,
    decidedNs: bigint,
    committedNs: bigint,
  ): void {
    const slots = this.#slots;
    const commitMs = Number(committedNs - decidedNs) / 1e6;
    slots[STAT.batches]! += 1;
    slots[STAT.requests]! += requests;
    slots[STAT.decideNs]! += Number(decidedNs - startedNs);
    slots[STAT.batchBucketFirst + bucket(BATCH_SIZE_BUCKETS, requests)]! += 1;
    if (rows === 0) return;
    slots[STAT.rows]! += rows;
    slots[STAT.commitNs]! += commitMs * 1e6;
    slots[STAT.commitBucketFirst + bucket(COMMIT_MS_BUCKETS, commitMs)]! += 1;
  }

  setGauges(recentRows: number, recentBytes: number, indexReads: number): void {
    this.#slots[STAT.recentRows] = recentRows;
    this.#slots[STAT.recentBytes] = recentBytes;
    this.#slots[STAT.indexReads] = indexReads;
  }
}

/** Index of the first bound that is not below `value`; the one past the last is +Inf. */
function bucket(bounds: readonly number[], value: number): number {
  let at = 0;
  while (at < bounds.length && value > bounds[at]!) at++;
  return at;
}
