// The watermark file never falls, refuses an older epoch, survives a reader at any time, and says when it is damaged.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FileWatermarkStore, type Watermark } from './watermark.js';

const mark = (epoch: number, sequence: number, journalId = 'abcd1234'): Watermark => ({
  epoch,
  journalId,
  sequence,
  rounds: [{ id: 'crowd', admitted: 5, count: 1 }],
  at: '2026-11-23T10:00:00.000Z',
});

describe('the watermark file', () => {
  let dir: string;
  let file: string;

  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'openbell-watermark-'));
    file = path.join(dir, 'watermark.json');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  test('nothing before the first; then what was written, also for the next process', async () => {
    const store = new FileWatermarkStore(file);
    assert.deepEqual(await store.read(), { ok: true, value: null });
    assert.ok((await store.write(mark(1, 10))).ok);
    assert.deepEqual(await new FileWatermarkStore(file).read(), { ok: true, value: mark(1, 10) });
    assert.deepEqual(readdirSync(dir), ['watermark.json']);
  });

  test('it never falls, and an older epoch changes nothing (I9, I10)', async () => {
    await new FileWatermarkStore(file).write(mark(3, 100));
    const store = new FileWatermarkStore(file);
    await store.read();
    for (const lower of [mark(3, 99), mark(4, 99), mark(2, 200), mark(2, 200, 'other000')]) {
      assert.ok(!(await store.write(lower)).ok, JSON.stringify(lower));
      assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), mark(3, 100));
    }
    for (const higher of [mark(3, 100), mark(3, 101), mark(4, 101)])
      assert.ok((await store.write(higher)).ok);
    assert.ok((await store.write(mark(4, 1, 'other000'))).ok, 'another journal counts from its own start');
  });

  test('a damaged one is an error, not a first start', async () => {
    for (const text of [
      '',
      '{',
      'null',
      '[]',
      '{"epoch":1}',
      '{"epoch":1,"sequence":"9"}',
      '{"epoch":1.5,"sequence":1}',
    ]) {
      writeFileSync(file, text);
      assert.ok(!(await new FileWatermarkStore(file).read()).ok, text);
    }
  });

  test('a write that fails says so', async () => {
    const store = new FileWatermarkStore(path.join(dir, 'nowhere', 'watermark.json'));
    assert.ok(!(await store.write(mark(1, 1))).ok);
  });
});
