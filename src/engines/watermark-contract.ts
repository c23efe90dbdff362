// What every store of the watermark keeps, for the tests of each: it never falls, and an older epoch changes nothing.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Watermark, WatermarkStore } from './watermark.js';

export const mark = (epoch: number, sequence: number, journalId = 'abcd1234'): Watermark => ({
  epoch,
  journalId,
  sequence,
  rounds: [{ id: 'crowd', admitted: 5, count: 1 }],
  at: '2026-11-23T10:00:00.000Z',
});

export interface WatermarkPlace {
  /** The store as a process that starts now sees it. */
  open(): WatermarkStore;
  /** From now on this is the epoch of the owner. */
  owned(epoch: number): Promise<void>;
}

const codeOf = async (store: WatermarkStore, watermark: Watermark): Promise<string> => {
  const written = await store.write(watermark);
  return written.ok ? 'written' : written.error.code;
};

/** @param fresh makes an empty place */
export function watermarkContract(
  name: string,
  fresh: (t: TestContext) => Promise<WatermarkPlace>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`${name}: the watermark`, { skip: options.skip ?? false }, () => {
    test('nothing before the first; then what was written, also for the next process', async (t) => {
      const place = await fresh(t);
      await place.owned(1);
      const store = place.open();
      assert.deepEqual(await store.read(), { ok: true, value: null });
      assert.equal(await codeOf(store, mark(1, 10)), 'written');
      assert.deepEqual(await store.read(), { ok: true, value: mark(1, 10) });
      assert.deepEqual(await place.open().read(), { ok: true, value: mark(1, 10) });
    });

    test('several rounds, and rounds that come and go, are stored together', async (t) => {
      const place = await fresh(t);
      await place.owned(1);
      const store = place.open();
      const rounds = Array.from({ length: 64 }, (_, i) => ({
        id: `round-${String(i).padStart(2, '0')}`,
        admitted: i,
        count: 1,
      }));
      for (const some of [rounds, rounds.slice(0, 2), []]) {
        const watermark = { ...mark(1, 10), rounds: some };
        assert.equal(await codeOf(store, watermark), 'written');
        assert.deepEqual(await place.open().read(), { ok: true, value: watermark });
      }
    });

    test('it never falls within a journal (I9), whoever asks', async (t) => {
      const place = await fresh(t);
      await place.owned(3);
      const store = place.open();
      await store.read();
      assert.equal(await codeOf(store, mark(3, 100)), 'written');
      assert.equal(await codeOf(store, mark(3, 99)), 'lower-sequence');
      await place.owned(4);
      const next = place.open();
      await next.read();
      assert.equal(await codeOf(next, mark(4, 99)), 'lower-sequence');
      assert.deepEqual(await place.open().read(), { ok: true, value: mark(3, 100) });
      for (const sequence of [100, 100, 101]) assert.equal(await codeOf(next, mark(4, sequence)), 'written');
    });

    test('an older epoch changes nothing (I10)', async (t) => {
      const place = await fresh(t);
      await place.owned(3);
      const older = place.open();
      await older.read();
      assert.equal(await codeOf(older, mark(3, 100)), 'written');
      await place.owned(4);
      const store = place.open();
      await store.read();
      assert.equal(await codeOf(store, mark(4, 150)), 'written');
      const late = place.open();
      await late.read();
      for (const old of [mark(3, 200), mark(3, 150, 'other000'), mark(2, 900)]) {
        assert.equal(await codeOf(late, old), 'fenced', JSON.stringify(old));
      }
      assert.deepEqual(await place.open().read(), { ok: true, value: mark(4, 150) });
    });

    test('another journal needs an epoch of its own, and then counts from its own start', async (t) => {
      const place = await fresh(t);
      await place.owned(5);
      const store = place.open();
      await store.read();
      assert.equal(await codeOf(store, mark(5, 100)), 'written');
      assert.equal(await codeOf(store, mark(5, 200, 'other000')), 'fenced');
      assert.deepEqual(await place.open().read(), { ok: true, value: mark(5, 100) });
      await place.owned(6);
      const next = place.open();
      await next.read();
      assert.equal(await codeOf(next, mark(6, 1, 'other000')), 'written');
      assert.deepEqual(await place.open().read(), { ok: true, value: mark(6, 1, 'other000') });
    });
  });
}
