// The indexer under kill -9 and on a full disk. This file runs itself again as a process that writes.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { INDEX_COMMIT_ATTEMPTS_MAX } from '../core/limits.js';
import type { Row } from '../core/rows.js';
import { IndexApplier } from './index-apply.js';
import { IndexDamage } from './index-damage.js';
import { openIndex } from './index-db.js';
import { sequencesOf } from './index-rows.js';
import { TestNode } from './index-test-journal.js';
import { IndexModel, testRound } from './index-test-model.js';
import { JournalIndexer } from './journal-indexer.js';

const SELF = fileURLToPath(import.meta.url);
const [, , role, roleDir] = process.argv;

async function start({ options }: TestNode): Promise<JournalIndexer> {
  const recovered = await JournalIndexer.recover(options, 0, 1);
  assert.ok(recovered.ok, recovered.ok ? '' : recovered.error.message);
  return recovered.value.indexer;
}

// --- The process that writes until it is killed -------------------------------------------------------------

async function writeForever(dir: string): Promise<void> {
  const one = new TestNode(dir);
  const indexer = await start(one);
  process.stdout.write('writing\n');
  for (let turn = 0; turn < 1_000_000; turn++) {
    one.journal.append(killRows(one.journal.head.nextSequence));
    const caughtUp = await indexer.catchUp();
    assert.ok(caughtUp.ok);
  }
}

const KILL_ROWS = 300;

/** Verdicts of one turn; the first row of all makes the round. */
function killRows(first: number): Row[] {
  const model = new IndexModel();
  model.round(testRound(1));
  for (let i = 0; i < KILL_ROWS; i++) model.invest(1, `investor-${first + i}`, 100);
  const [round, ...verdicts] = model.rows;
  return first === 1 ? [round!, ...verdicts] : verdicts;
}

// --- The process whose files may not grow -------------------------------------------------------------------

async function fillDisk(dir: string): Promise<void> {
  const one = new TestNode(dir);
  const indexer = await start(one);
  const line = (i: number) => ({
    investor: `balance-${i}`.padEnd(128, '.'),
    balance: 1,
    currency: 'GBP',
    eligible: true,
  });
  let told = 0;
  let refused = false;
  for (let turn = 0; turn < 100 && !refused; turn++) {
    const result = await indexer.balances(Array.from({ length: 500 }, (_, i) => line(told + i)));
    if (result.ok) told += 500;
    else refused = true;
  }
  assert.ok(refused, 'the file was never full');
  const kept = indexer.investor(line(told - 1).investor);
  const lost = indexer.investor(line(told).investor);
  assert.ok(kept.ok && kept.value !== null, 'what was told before stays');
  assert.ok(lost.ok && lost.value === null, 'nothing of what was refused is there');
  one.more(3_000);
  const results = [await indexer.catchUp(), await indexer.catchUp()];
  const later = indexer.investor('anybody');
  process.stdout.write(JSON.stringify({ results, later, mark: indexer.mark, told }));
}

function main(): void {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-crash-'));
  after(() => fs.rmSync(base, { recursive: true, force: true }));

  describe('journal-indexer, crashing', () => {
    test('kill -9 at any instant leaves a mark with exactly its rows', async () => {
      const dir = path.join(base, 'kill');
      const seed = Number.parseInt(process.env['OPENBELL_TEST_SEED'] ?? String(Date.now() % 1_000_000), 10);
      const failed = `seed ${seed}`;
      let random = seed;
      for (let round = 0; round < 12; round++) {
        const child = spawn(process.execPath, [SELF, 'write', dir], { stdio: ['ignore', 'pipe', 'inherit'] });
        await once(child.stdout, 'data');
        // Not to be right, but to be somewhere: any instant is a good one.
        random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
        setTimeout(() => child.kill('SIGKILL'), random % 40);
        await once(child, 'exit');
        const db = openIndex(path.join(dir, 'index'), { readOnly: false });
        assert.ok(db.ok, failed);
        const mark = db.value.readMark()!.position.nextSequence - 1;
        let rows = 0;
        for (const { key, value } of db.value.rows.getRange({ start: 0, end: 2 ** 47 })) {
          for (const sequence of sequencesOf(value, key)) {
            assert.ok(sequence <= mark, `${failed}: row ${sequence} beyond mark ${mark}`);
            rows++;
          }
        }
        assert.equal(rows, Math.max(0, mark - 1), failed);
        assert.equal(db.value.outboxCount(), rows, failed);
        await db.value.close();
        const recovered = await JournalIndexer.recover(new TestNode(dir).options, mark);
        assert.ok(recovered.ok, failed);
        assert.equal(recovered.value.report.rebuilt, null, failed);
        const check = recovered.value.indexer.selfCheck();
        assert.ok(check.ok);
        assert.deepEqual(check.value.differences, [], failed);
        await recovered.value.indexer.close();
      }
    });

    test('a disk that is full for a moment is waited for', async (t) => {
      const one = new TestNode(path.join(base, 'moment'));
      const indexer = await start(one);
      one.more(200);
      const full = () => {
        throw Object.assign(new Error('No space left on device'), { code: 28 });
      };
      const failing = t.mock.method(IndexApplier.prototype, 'apply', full, {
        times: INDEX_COMMIT_ATTEMPTS_MAX - 1,
      });
      assert.ok((await indexer.catchUp()).ok);
      assert.equal(failing.mock.callCount(), INDEX_COMMIT_ATTEMPTS_MAX - 1);
      assert.equal(one.counters.indexedSequence, one.model.rows.length);
      const check = indexer.selfCheck();
      assert.ok(check.ok);
      assert.deepEqual(check.value.differences, []);
      await indexer.close();
    });

    test('damage found while in use ends the indexer, and the next start builds the index again', async (t) => {
      const one = new TestNode(path.join(base, 'damage'));
      const indexer = await start(one);
      one.more(200);
      const damaged = () => {
        throw new IndexDamage('row 7 is missing');
      };
      const failing = t.mock.method(IndexApplier.prototype, 'apply', damaged, { times: 1 });
      for (const result of [await indexer.catchUp(), await indexer.catchUp(), indexer.investor('a')]) {
        assert.ok(!result.ok);
        assert.deepEqual(result.error, {
          code: 'index-failed',
          message: 'the index failed: row 7 is missing',
        });
      }
      assert.equal(failing.mock.callCount(), 1);
      await indexer.close();
      const recovered = await JournalIndexer.recover(one.options, 0);
      assert.ok(recovered.ok);
      assert.match(recovered.value.report.rebuilt ?? '', /row 7 is missing/);
      assert.equal(recovered.value.report.replayedRows, one.model.rows.length);
      await recovered.value.indexer.close();
    });

    test('on a full disk it stays where its mark is, says so, and goes on at the next start', async () => {
      const dir = path.join(base, 'full');
      // Files of at most 1.5 MB: the journal's segments fit, the index does not.
      const script = `ulimit -f 3000; exec "$0" "$1" fill "$2"`;
      const child = spawnSync('sh', ['-c', script, process.execPath, SELF, dir], { encoding: 'utf8' });
      assert.equal(child.status, 0, child.stderr);
      const { results, later, mark, told } = JSON.parse(child.stdout);
      assert.equal(mark, 0);
      assert.ok(told > 0);
      for (const result of [...results, later]) {
        assert.equal(result.ok, false);
        assert.equal(result.error.code, 'index-failed');
      }
      const recovered = await JournalIndexer.recover(new TestNode(dir).options, 0);
      assert.ok(recovered.ok);
      const { rebuilt, replayedRows } = recovered.value.report;
      assert.equal(rebuilt, null);
      assert.ok(replayedRows > 3_000);
      assert.equal(recovered.value.indexer.mark, replayedRows);
      const check = recovered.value.indexer.selfCheck();
      assert.ok(check.ok);
      assert.deepEqual(check.value.differences, []);
      await recovered.value.indexer.close();
    });
  });
}

if (role === 'write') await writeForever(roleDir!);
else if (role === 'fill') await fillDisk(roleDir!);
else main();
