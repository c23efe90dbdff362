// What a start makes of the index that it finds.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { applyBalances } from './index-balances.js';
import { noteDamage } from './index-damage.js';
import { INDEX_FORMAT, MARK_KEY, openIndex } from './index-db.js';
import { recoverIndex, setAsidePath } from './index-recovery.js';
import { blockOf } from './index-rows.js';
import { TestJournal } from './index-test-journal.js';
import { IndexModel, testRound } from './index-test-model.js';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'openbell-recovery-'));
after(() => fs.rmSync(base, { recursive: true, force: true }));

interface Node {
  readonly journal: TestJournal;
  readonly model: IndexModel;
  readonly indexDir: string;
  readonly recover: () => ReturnType<typeof recoverIndex>;
}

/** A node that has run, been stopped, and has its index at the journal's end. */
async function stoppedNode(name: string): Promise<Node> {
  const model = new IndexModel();
  const journal = new TestJournal(path.join(base, name, 'journal'));
  const indexDir = path.join(base, name, 'index');
  const { segmentBytes } = journal;
  const recover = () => recoverIndex({ journalDir: journal.dir, indexDir, segmentBytes, floorSequence: 0 });
  model.round(testRound(1));
  for (let i = 0; i < 300; i++) model.invest(1, `investor-${i % 40}`, 100);
  for (let i = 2; i < 30; i++) model.outcome(i, i % 3 === 0 ? 'insufficient-funds' : null, i, 1);
  journal.append(model.rows);
  const recovered = await recover();
  assert.ok(recovered.ok);
  await recovered.value.db.close();
  return { journal, model, indexDir, recover };
}

async function expectRebuilt(node: Node, reason: RegExp): Promise<void> {
  const recovered = await node.recover();
  assert.ok(recovered.ok, recovered.ok ? '' : recovered.error);
  assert.match(recovered.value.rebuilt ?? '', reason);
  assert.equal(recovered.value.replayedRows, node.model.rows.length);
  node.model.check(recovered.value.db);
  await recovered.value.db.close();
  const again = await node.recover();
  assert.ok(again.ok);
  assert.equal(again.value.rebuilt, null);
  assert.equal(again.value.replayedRows, 0);
  await again.value.db.close();
}

async function changeMark(indexDir: string, change: Record<string, unknown>): Promise<void> {
  const opened = openIndex(indexDir, { readOnly: false });
  assert.ok(opened.ok);
  const mark = { ...opened.value.readMark(), ...change };
  opened.value.meta.putSync(MARK_KEY, Buffer.from(JSON.stringify(mark)));
  await opened.value.close();
}

describe('index-recovery', () => {
  test('nothing at all becomes an empty journal and an empty index', async () => {
    const dir = path.join(base, 'nothing');
    const places = { journalDir: path.join(dir, 'journal'), indexDir: path.join(dir, 'index') };
    const recovered = await recoverIndex({ ...places, segmentBytes: 65_536, floorSequence: 0 });
    assert.ok(recovered.ok);
    assert.equal(recovered.value.rebuilt, null);
    assert.equal(recovered.value.journal.end.nextSequence, 1);
    assert.deepEqual(recovered.value.applier.mark.position, recovered.value.journal.end);
    await recovered.value.db.close();
  });

  test('only the tail behind the mark is replayed, and balances stay', async () => {
    const node = await stoppedNode('tail');
    const opened = openIndex(node.indexDir, { readOnly: false });
    assert.ok(opened.ok);
    applyBalances(opened.value, [{ investor: 'rich', balance: 5, currency: 'GBP', eligible: true }]);
    node.model.balances.set('rich', { balance: 5, currency: 'GBP', eligible: true, version: 0 });
    await opened.value.close();
    const known = node.model.rows.length;
    for (let i = 0; i < 500; i++) node.model.invest(1, `late-${i}`, 100);
    node.journal.append(node.model.rows.slice(known));
    const recovered = await node.recover();
    assert.ok(recovered.ok);
    assert.equal(recovered.value.rebuilt, null);
    assert.equal(recovered.value.replayedRows, 500);
    assert.ok(recovered.value.journal.end.segment > 0, 'the rows span segments');
    node.model.check(recovered.value.db);
    await recovered.value.db.close();
  });

  test('an index that is gone is built again', async () => {
    const node = await stoppedNode('gone');
    fs.rmSync(node.indexDir, { recursive: true });
    await expectRebuilt(node, /there was no index/);
  });

  test('a file that is not of LMDB is set aside', async () => {
    const node = await stoppedNode('garbage');
    fs.writeFileSync(path.join(node.indexDir, 'data.mdb'), Buffer.alloc(100_000, 'no'));
    await expectRebuilt(node, /not of LMDB/);
    assert.ok(fs.existsSync(path.join(setAsidePath(node.indexDir), 'data.mdb')));
  });

  for (const pages of [3, 10]) {
    test(`a file that lacks its last ${pages} pages is set aside, not read beyond its end`, async () => {
      const node = await stoppedNode(`short-${pages}`);
      const file = path.join(node.indexDir, 'data.mdb');
      fs.truncateSync(file, fs.statSync(file).size - pages * 4096);
      await expectRebuilt(node, /MDB_CORRUPTED|too short|missing/);
    });
  }

  test('a file that ends before free pages is whole, and balances stay', async () => {
    const node = await stoppedNode('loose');
    const opened = openIndex(node.indexDir, { readOnly: false });
    assert.ok(opened.ok);
    applyBalances(opened.value, [{ investor: 'rich', balance: 5, currency: 'GBP', eligible: true }]);
    node.model.balances.set('rich', { balance: 5, currency: 'GBP', eligible: true, version: 0 });
    await opened.value.close();
    // Two more pages than there are, in both meta pages.
    const file = path.join(node.indexDir, 'data.mdb');
    const bytes = fs.readFileSync(file);
    const pages = bytes.length / 4096;
    for (const meta of [0, 4096]) bytes.writeUInt32LE(pages + 1, meta + 144);
    fs.writeFileSync(file, bytes);
    const recovered = await node.recover();
    assert.ok(recovered.ok);
    assert.equal(recovered.value.rebuilt, null);
    node.model.check(recovered.value.db);
    await recovered.value.db.close();
  });

  test('an index that was found damaged while in use is built again', async () => {
    const node = await stoppedNode('noted');
    noteDamage(node.indexDir, 'row 7 is missing');
    await expectRebuilt(node, /row 7 is missing/);
  });

  test('an empty file is a new index', async () => {
    const node = await stoppedNode('empty');
    fs.truncateSync(path.join(node.indexDir, 'data.mdb'), 0);
    await expectRebuilt(node, /never finished/);
  });

  test('an index of another journal is set aside', async () => {
    const node = await stoppedNode('foreign');
    await changeMark(node.indexDir, { journalId: 'otherone' });
    await expectRebuilt(node, /index of journal otherone/);
  });

  test('an index of another format is set aside', async () => {
    const node = await stoppedNode('format');
    await changeMark(node.indexDir, { format: INDEX_FORMAT + 1 });
    await expectRebuilt(node, /format/);
  });

  test('an index that contradicts the journal is set aside', async () => {
    const node = await stoppedNode('contradiction');
    const opened = openIndex(node.indexDir, { readOnly: false });
    assert.ok(opened.ok);
    opened.value.rows.removeSync(blockOf(40));
    await opened.value.close();
    const known = node.model.rows.length;
    node.model.outcome(40, null, 1, 1);
    node.journal.append(node.model.rows.slice(known));
    await expectRebuilt(node, /outcome of 40/);
  });

  test('a mark beyond the journal is damage of the journal, and nothing is touched', async () => {
    const node = await stoppedNode('beyond');
    node.journal.loseLastFrame();
    const before = fs.readFileSync(path.join(node.indexDir, 'data.mdb'));
    const recovered = await node.recover();
    assert.ok(!recovered.ok);
    assert.match(recovered.error, /damaged/);
    assert.deepEqual(fs.readFileSync(path.join(node.indexDir, 'data.mdb')), before);
  });

  test('a journal that is gone is damage, not a new beginning', async () => {
    const node = await stoppedNode('lost');
    fs.rmSync(node.journal.dir, { recursive: true });
    const recovered = await node.recover();
    assert.ok(!recovered.ok);
    assert.match(recovered.error, /there is no journal/);
    assert.equal(fs.existsSync(node.journal.dir), false);
  });

  test('a journal that contradicts itself is refused', async () => {
    const node = await stoppedNode('nonsense');
    const sequence = node.model.nextSequence;
    node.journal.append([
      { ...node.model.invest(1, 'investor-39', 100), sequence, verdict: 'accepted', extra: 0 },
    ]);
    for (const _ of [1, 2]) {
      const recovered = await node.recover();
      assert.ok(!recovered.ok);
      assert.match(recovered.error, /contradicts itself.*second live investment/);
    }
  });
});
