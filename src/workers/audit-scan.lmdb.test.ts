// The audit's walk through a journal with the index beside it: in slices, and each thing that can be wrong, once.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { InvestmentIds, ownLineage } from '../core/ids.js';
import type { Row } from '../core/rows.js';
import type { Finding } from './audit-findings.js';
import { Findings } from './audit-findings.js';
import { AuditIndex } from './audit-index.js';
import { AuditScan } from './audit-scan.js';
import type { IndexDb } from './index-db.js';
import { OutboxEntries } from './index-outbox.js';
import { encodeInvestor, encodeRow } from './index-records.js';
import { recoverIndex } from './index-recovery.js';
import { blockOf, recordAt } from './index-rows.js';
import {
  openJournal,
  outcomeRow,
  patch,
  roundRow,
  SEGMENT_BYTES,
  type TestJournal,
  temporaryDirectory,
  verdictRow,
} from './journal-fixture.js';
import { segmentPath } from './journal-segments.js';
import type { AuditEnd } from './upkeep-protocol.js';

let root: string;
let journal: TestJournal;
let index: IndexDb;

/** What a shard and the ledger would have written: 1 round, then 2.. verdicts, some with outcomes. */
const ROWS: readonly (readonly Row[])[] = [
  [roundRow()],
  [verdictRow('alice'), verdictRow('bob', { amount: 700 }), verdictRow('carol')],
  [verdictRow('alice', { key: 'again', verdict: 'already-invested', extra: 2 }), outcomeRow('alice', 2)],
  [
    outcomeRow('bob', 3, { amount: 700, state: 'declined', reason: 'not-eligible' }),
    verdictRow('bob', { key: 'once-more' }),
  ],
  [verdictRow('dave', { verdict: 'round-full', amount: 400_000, extra: 300 })],
];
const LAST = ROWS.flat().length;

async function indexUpToHere(): Promise<void> {
  const indexDir = path.join(root, 'index');
  const recovered = await recoverIndex({
    journalDir: journal.dir,
    indexDir,
    segmentBytes: SEGMENT_BYTES,
    floorSequence: 0,
  });
  assert.ok(recovered.ok);
  index = recovered.value.db;
}

beforeEach(async () => {
  root = temporaryDirectory();
  journal = openJournal(path.join(root, 'journal'));
  for (const rows of ROWS) journal.append(...rows);
  await indexUpToHere();
});
afterEach(async () => {
  await index.close();
  journal.remove();
  fs.rmSync(root, { recursive: true, force: true });
});

function newScan(): AuditScan {
  const { journalId } = journal.head;
  return new AuditScan({ journalDir: journal.dir, journalId, lineage: ownLineage(journalId), index });
}

function audit(): AuditEnd {
  const scan = newScan();
  assert.equal(scan.scan(journal.head.durableSequence, []).done, true);
  return scan.finish(false);
}

/** The differences, as kind and detail. */
function found(end: AuditEnd = audit()): string[] {
  return end.findings.list.map(({ kind, detail }: Finding) => `${kind} ${detail}`);
}

/** Changes the index as nobody should. */
function spoil(change: (db: IndexDb) => void): void {
  index.root.transactionSync(() => change(index));
}

describe('an audit scan', () => {
  test('reads everything in slices, and tells the totals where they are wanted', () => {
    const scan = newScan();
    const sequences: number[] = [];
    const totals: [number, number][] = [];
    let done = false;
    while (!done) {
      const slice = scan.scan(LAST, [1, 4, LAST], 1);
      sequences.push(slice.sequence);
      for (const at of slice.totals) totals.push([at.sequence, at.rounds[0]!.admitted]);
      done = slice.done;
    }
    assert.deepEqual(sequences, [1, 4, 6, 8, 9]);
    // A place at which a slice ends is told by it and by the next one, and is the same.
    assert.deepEqual(
      new Map(totals),
      new Map([
        [1, 0],
        [4, 1700],
        [LAST, 1500],
      ]),
    );
    const end = scan.finish(false);
    assert.deepEqual([end.sequence, end.frames, end.findings.list], [LAST, ROWS.length, []]);
    assert.deepEqual(end.index, { mark: LAST, checked: LAST - 1, every: 1 });
    assert.deepEqual(end.unchecked, { live: 0, keys: 0, accepted: 0 });
  });

  test('goes on from segment to segment, and behind the mark of the index', () => {
    const first = journal.head.segment;
    for (let i = 0; i < 200; i++) journal.append(verdictRow(`more-${i}`));
    assert.ok(journal.head.segment > first);
    const end = audit();
    assert.deepEqual([found(end), end.sequence, end.index.mark], [[], LAST + 200, LAST]);
  });

  test('stops where the journal is damaged, and names the place', () => {
    const { segment, offset } = journal.head;
    patch(journal.dir, segment, offset - 9, Buffer.from([0xff]));
    const scan = newScan();
    const { done, damaged, sequence } = scan.scan(LAST, []);
    assert.deepEqual([done, damaged, sequence], [true, true, LAST - 1]);
    assert.match(
      found(scan.finish(false))[0] ?? '',
      /^journal-damaged .*segment 0 at offset \d+, expected sequence 9: frame fails/,
    );
  });

  test('finds bytes behind the last frame of a finished segment', () => {
    const first = journal.head.segment;
    while (journal.head.segment === first) journal.append(verdictRow(`more-${journal.head.nextSequence}`));
    const size = fs.statSync(segmentPath(journal.dir, first)).size;
    patch(journal.dir, first, size - 1, Buffer.from([1]));
    assert.match(found()[0] ?? '', /^journal-damaged .*bytes behind the last frame of segment 0/);
  });

  test('names the investment that each broken invariant is about', () => {
    const id = (sequence: number): string => `${journal.head.journalId}-${sequence.toString(36)}`;
    journal.append(
      verdictRow('whale', { amount: 1_000_000 }),
      verdictRow('carol', { key: 'second' }),
      verdictRow('erin', { verdict: 'not-eligible', key: 'e' }),
      verdictRow('erin', { verdict: 'not-eligible', key: 'e' }),
      outcomeRow('alice', 2, { state: 'declined', reason: 'cap-exceeded' }),
    );
    const { findings } = audit();
    const named = findings.list.map(({ kind, investment, round }) => [kind, investment, round]);
    assert.deepEqual(named, [
      ['journal-over-cap', id(10), 'crowd'],
      ['journal-over-cap', id(11), 'crowd'],
      ['journal-second-live', id(11), 'crowd'],
      ['journal-second-verdict', id(13), 'crowd'],
      ['journal-outcome', id(2), 'crowd'],
    ]);
  });

  test('counts what it does not spell out', () => {
    for (let i = 0; i < 150; i++)
      journal.append(verdictRow('alice', { key: `k-${i}`, verdict: 'already-invested', extra: 4 }));
    const findings = new Findings();
    findings.merge(audit().findings);
    assert.deepEqual([findings.count(), findings.all().list.length], [150, 100]);
  });
});

/** Puts another record in the place of a row's; null: none. */
function putRecord(db: IndexDb, sequence: number, record: Buffer | null): void {
  const block = db.rows.get(blockOf(sequence))!;
  const at = recordAt(block, block.length, sequence);
  const rest = block.subarray(at + 1 + block[at]!);
  const bytes = record ?? Buffer.alloc(0);
  db.rows.putSync(
    blockOf(sequence),
    Buffer.concat([block.subarray(0, at), Buffer.from([bytes.length]), bytes, rest]),
  );
}

describe('the index beside it', () => {
  const row = (sequence: number) => index.rowAt(sequence)!;

  test('misses a row', () => {
    spoil((db) => putRecord(db, 9, null));
    assert.match(
      found().join(),
      /^index-damaged row 9 is missing|^index-row the row of dave is not in the index/,
    );
  });

  test('has another amount, key, or state', () => {
    spoil((db) => putRecord(db, 9, encodeRow({ ...row(9), amount: 400_001 }, null)));
    assert.deepEqual(found(), ['index-row amount is 400001 in the index, not 400000']);
    spoil((db) => putRecord(db, 9, encodeRow({ ...row(9), amount: 400_000 }, null)));
    spoil((db) => putRecord(db, 2, encodeRow(row(2), null)));
    assert.deepEqual(found(), ['index-row it is accepted in the index, not settled as of row 6']);
  });

  test('does not lead from a key to its verdict', () => {
    const alice = index.getInvestor('alice')!;
    alice.rounds[0]!.keys[0]! += 1;
    spoil((db) => db.investors.putSync('alice', encodeInvestor(alice)));
    assert.deepEqual(found(), ['index-row key key-alice of alice is not in the index']);
  });

  test('has forgotten a live investment', () => {
    const carol = index.getInvestor('carol')!;
    carol.rounds[0]!.live = 0;
    spoil((db) => db.investors.putSync('carol', encodeInvestor(carol)));
    assert.deepEqual(found(), [
      'index-row it is accepted, but the live investment of carol in the index is 0',
    ]);
  });

  test('has other totals, or a round that never was', () => {
    const [entry] = index.readRounds();
    const { definition, totals } = entry!;
    const put = (value: object): unknown => index.rounds.putSync('001', Buffer.from(JSON.stringify(value)));
    spoil(() => put({ definition, totals: { ...totals, admitted: totals.admitted - 1 } }));
    assert.deepEqual(found(), [
      'index-totals crowd: admitted is 1499 in the index, and 1500 in the journal up to sequence 9 (I8)',
    ]);
    spoil(() => put(entry!));
    spoil((db) =>
      db.rounds.putSync(
        '002',
        Buffer.from(JSON.stringify({ definition: { ...definition, id: 'ghost', number: 2 }, totals })),
      ),
    );
    assert.deepEqual(found(), ['index-totals ghost: the journal has no such round']);
  });

  test('has lost an entry of the outbox', () => {
    spoil((db) => {
      const entries = new OutboxEntries(db);
      entries.close(4);
      entries.finish();
    });
    assert.match(
      found().join(),
      /^queue-depth the number of accepted investments without an outcome is 1 .* and 2 /,
    );
  });

  test('belongs to another journal', () => {
    const findings = new Findings();
    const other = new AuditIndex(index, 'otherone', new InvestmentIds(ownLineage('otherone')), findings);
    assert.deepEqual([other.mark, findings.count('index')], [-1, 1]);
  });

  test('is sampled when it has more rows than an audit looks up', () => {
    const findings = new Findings();
    const { journalId } = journal.head;
    const sampled = new AuditIndex(index, journalId, new InvestmentIds(ownLineage(journalId)), findings, 3);
    assert.equal(sampled.every, 3);
    for (const [at, one] of ROWS.flat().entries()) sampled.check({ ...one, sequence: at + 1 });
    assert.deepEqual([sampled.checked, findings.count()], [3, 0]);
  });
});
