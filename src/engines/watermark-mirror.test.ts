// Two watermarks as one: the shared one decides, the local one follows.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { err, ok, type Result } from '../core/result.js';
import type { Watermark, WatermarkFailure, WatermarkStore } from './watermark.js';
import { mark } from './watermark-contract.js';
import { MirroredWatermarkStore } from './watermark-mirror.js';

class MemoryStore implements WatermarkStore {
  readonly written: Watermark[] = [];
  answer: Result<void, WatermarkFailure> = ok(undefined);

  async read(): Promise<Result<Watermark | null, string>> {
    return ok(this.written.at(-1) ?? null);
  }

  async write(watermark: Watermark): Promise<Result<void, WatermarkFailure>> {
    if (this.answer.ok) this.written.push(watermark);
    return this.answer;
  }
}

describe('the mirrored watermark', () => {
  const shared = new MemoryStore();
  const local = new MemoryStore();
  const store = new MirroredWatermarkStore(shared, local);

  test('both are written, and the shared one is read', async () => {
    assert.ok((await store.write(mark(1, 10))).ok);
    assert.deepEqual(shared.written, local.written);
    shared.written.push(mark(2, 20));
    assert.deepEqual(await store.read(), ok(mark(2, 20)));
  });

  test('out of reach: the local one is still true, and the failure is told', async () => {
    shared.answer = err({ code: 'unavailable', message: 'away' });
    assert.deepEqual(await store.write(mark(2, 30)), shared.answer);
    assert.deepEqual(local.written.at(-1), mark(2, 30));
  });

  test('refused there: refused here as well', async () => {
    for (const code of ['fenced', 'lower-sequence'] as const) {
      shared.answer = err({ code, message: 'no' });
      assert.deepEqual(await store.write(mark(2, 40)), shared.answer);
    }
    assert.deepEqual(local.written.at(-1), mark(2, 30));
  });

  test('a local one that fails is a failure', async () => {
    shared.answer = ok(undefined);
    local.answer = err({ code: 'unavailable', message: 'full disk' });
    assert.deepEqual(await store.write(mark(2, 50)), local.answer);
  });
});
