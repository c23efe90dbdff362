// The watermark file: what every watermark keeps, and that it survives a reader at any time and says when it is damaged.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FileWatermarkStore } from './watermark.js';
import { mark, watermarkContract } from './watermark-contract.js';

watermarkContract('file', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'openbell-watermark-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return {
    open: () => new FileWatermarkStore(path.join(dir, 'watermark.json')),
    // The lock of the data directory makes its holder the only writer: nothing to tell the file.
    owned: async () => undefined,
  };
});

describe('the watermark file', () => {
  let dir: string;
  let file: string;

  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'openbell-watermark-'));
    file = path.join(dir, 'watermark.json');
  });

  afterEach(() => rmSync(dir, { recursive: true }));

  test('it is replaced whole: nothing else is left beside it', async () => {
    const store = new FileWatermarkStore(file);
    for (const sequence of [1, 2, 3]) assert.ok((await store.write(mark(1, sequence))).ok);
    assert.deepEqual(readdirSync(dir), ['watermark.json']);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), mark(1, 3));
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
    const written = await store.write(mark(1, 1));
    assert.equal(!written.ok && written.error.code, 'unavailable');
  });
});
