// The indexer behind a real journal: following it, and beside readers in other threads.
// This file runs itself again as a thread that reads.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { Counters } from '../core/counters.js';
import { type IndexDb, openIndex } from './index-db.js';
import { TestNode } from './index-test-journal.js';
import { testRound } from './index-test-model.js';
import type { IndexerResult, IndexerTask } from './indexer-protocol.js';
import { JournalIndexer } from './journal-indexer.js';

async function start({ options }: TestNode): Promise<JournalIndexer> {
  const recovered = await JournalIndexer.recover(options, 0, 1);
  assert.ok(recovered.ok, recovered.ok ? '' : recovered.error.message);
  return recovered.value.indexer;
}

function read(indexDir: string): IndexDb {
  const opened = openIndex(indexDir, { readOnly: true });
  assert.ok(opened.ok, opened.ok ? '' : opened.error);
  return opened.value;
}

interface ReaderData {
  readonly indexDir: string;
  readonly counters: SharedArrayBuffer;
  readonly last: number;
}

const ROWS_PER_TURN = 50;
const FIRST_BATCH = 1 + ROWS_PER_TURN;

/** The thread never yields, so nothing but `refresh` can show it what is new. */
function readAlong({ indexDir, counters, last }: ReaderData): void {
  const shared = new Counters(counters);
  const db = read(indexDir);
  const problems: string[] = [];
  let looks = 0;
  // A snapshot of before the second batch, held until it is renewed.
  if (db.rowAt(last) !== undefined) problems.push('row is there too early');
  parentPort!.postMessage('reading');
  let mark = shared.indexedSequence;
  while (mark < FIRST_BATCH) mark = shared.indexedSequence;
  if (db.rowAt(FIRST_BATCH) !== undefined) problems.push('the snapshot moved by itself');
  for (let seen = 1; seen < last; looks++) {
    mark = shared.indexedSequence;
    db.refresh();
    for (let sequence = seen + 1; sequence <= mark; sequence++) {
      if (db.rowAt(sequence) === undefined) problems.push(`row ${sequence} is not there at mark ${mark}`);
    }
    const stored = db.readMark()!.position.nextSequence - 1;
    if (stored < mark) problems.push(`mark ${mark} was told before ${stored} was committed`);
    seen = mark;
  }
  void db.close();
  parentPort!.postMessage({ problems, looks });
}

function main(): void {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-indexer-'));
  after(() => fs.rmSync(base, { recursive: true, force: true }));

  describe('journal-indexer', () => {
    test('follows the journal in bounded pieces and says how far it is', async () => {
      const one = new TestNode(path.join(base, 'follow'));
      const indexer = await start(one);
      assert.deepEqual(await indexer.catchUp(), { ok: true, value: { mark: 0, rows: 0, behind: 0 } });
      one.more(800);
      const last = one.model.rows.length;
      assert.deepEqual(await indexer.catchUp(), { ok: true, value: { mark: last, rows: last, behind: 0 } });
      assert.equal(one.counters.indexedSequence, last);
      one.model.check(read(one.options.indexDir));
      await indexer.close();
      const again = await JournalIndexer.recover(one.options, last);
      assert.ok(again.ok);
      assert.equal(again.value.report.replayedRows, 0);
      assert.deepEqual(again.value.report.end.nextSequence, last + 1);
      assert.equal(one.counters.indexedSequence, last);
      await again.value.indexer.close();
    });

    test('an import is a later word than the outcomes that were synced before it', async () => {
      const one = new TestNode(path.join(base, 'order'));
      const indexer = await start(one);
      one.model.round(testRound(1));
      one.model.invest(1, 'a', 100);
      one.model.outcome(2, null, 900, 5);
      one.journal.append(one.model.rows);
      const result = await indexer.balances([{ investor: 'a', balance: 7, currency: 'GBP', eligible: true }]);
      assert.ok(result.ok);
      const record = indexer.investor('a');
      assert.ok(record.ok);
      assert.equal(record.value?.balance, 7);
      assert.equal(record.value?.balanceVersion, 5);
      const feed = { investor: 'a', currency: 'GBP', eligible: true, at: '2026-11-23T10:00:00.000Z' };
      const older = indexer.balanceMessages([{ ...feed, balance: 1, version: 5 }]);
      assert.deepEqual(older, { ok: true, value: { applied: [] } });
      const newer = indexer.balanceMessages([{ ...feed, balance: 2, version: 6 }]);
      assert.deepEqual(newer, { ok: true, value: { applied: ['a'] } });
      await indexer.close();
    });

    test('a thread that sees the mark and renews its snapshot sees the rows', async () => {
      const one = new TestNode(path.join(base, 'threads'));
      const indexer = await start(one);
      const turns = 30;
      one.model.round(testRound(1));
      one.journal.append(one.model.rows);
      assert.ok((await indexer.catchUp()).ok);
      const last = 1 + turns * ROWS_PER_TURN;
      const data: ReaderData = { indexDir: one.options.indexDir, counters: one.options.counters, last };
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: data });
      assert.deepEqual(await once(worker, 'message'), ['reading']);
      const done = once(worker, 'message');
      for (let turn = 0; turn < turns; turn++) {
        const rows = [];
        for (let i = 0; i < ROWS_PER_TURN; i++) rows.push(one.model.invest(1, `investor-${turn}-${i}`, 100));
        one.journal.append(rows);
        assert.ok((await indexer.catchUp()).ok);
      }
      const [{ problems, looks }] = await done;
      assert.deepEqual(problems, []);
      assert.ok(looks > 1);
      await indexer.close();
    });

    test('runs in piscina', async () => {
      const one = new TestNode(path.join(base, 'piscina'));
      const pool = new Piscina<IndexerTask, IndexerResult<IndexerTask>>({
        filename: new URL('./indexer.js', import.meta.url).href,
        name: 'run',
        minThreads: 1,
        maxThreads: 1,
        atomics: 'disabled',
        workerData: one.options,
      });
      const recovered = await pool.run({ kind: 'recover', floorSequence: 0 });
      assert.ok(recovered.ok);
      one.more(100);
      assert.ok((await pool.run({ kind: 'catch-up' })).ok);
      assert.equal(one.counters.indexedSequence, one.model.rows.length);
      const check = await pool.run({ kind: 'self-check' });
      assert.deepEqual(check, { ok: true, value: { rows: 100, differences: [] } });
      const refused = await pool.run({ kind: 'investor', investor: 'nobody' });
      assert.deepEqual(refused, { ok: true, value: null });
      assert.ok((await pool.run({ kind: 'close' })).ok);
      await pool.destroy();
    });
  });
}

if (isMainThread) main();
else readAlong(workerData as ReaderData);
