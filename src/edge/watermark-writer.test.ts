// The writer of the watermark: refused for an older epoch it never writes again; out of reach it tries again; and who
// does not own the rounds writes nothing.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { err, ok, type Result } from '../core/result.js';
import type { Watermark, WatermarkFailure, WatermarkStore } from '../engines/watermark.js';
import { WatermarkWriter } from './watermark-writer.js';

interface Bench {
  readonly writer: WatermarkWriter;
  readonly written: Watermark[];
  readonly fenced: string[];
  answer: Result<void, WatermarkFailure>;
  owns: boolean;
  sequence: number;
}

function bench(): Bench {
  const written: Watermark[] = [];
  const fenced: string[] = [];
  const store: WatermarkStore = {
    read: async () => ok(null),
    write: async (watermark) => {
      written.push(watermark);
      return it.answer;
    },
  };
  const it: Bench = {
    written,
    fenced,
    answer: ok(undefined),
    owns: true,
    sequence: 5,
    writer: new WatermarkWriter({
      store,
      epoch: 3,
      journalId: 'abcd1234',
      durable: () => it.sequence,
      rounds: () => [{ id: 'crowd', admitted: 10, count: 1 }],
      owns: () => it.owns,
      onFenced: (reason) => fenced.push(reason),
      clock: () => 1_000,
      logger: pino({ level: 'silent' }),
    }),
  };
  return it;
}

describe('the watermark writer', () => {
  test('writes what is durable, and remembers it', async () => {
    const it = bench();
    assert.equal(await it.writer.write(), true);
    assert.deepEqual(it.written, [
      {
        epoch: 3,
        journalId: 'abcd1234',
        sequence: 5,
        rounds: [{ id: 'crowd', admitted: 10, count: 1 }],
        at: '1970-01-01T00:00:01.000Z',
      },
    ]);
    assert.deepEqual(it.writer.last, { sequence: 5, atMs: 1_000 });
  });

  test('refused for an older epoch: for good, and told once', async () => {
    const it = bench();
    it.answer = err({ code: 'fenced', message: 'epoch 3 is older than 4' });
    assert.deepEqual(await Promise.all([it.writer.write(), it.writer.write()]), [false, false]);
    it.answer = ok(undefined);
    assert.equal(await it.writer.write(), false);
    assert.equal(it.written.length, 1);
    assert.deepEqual(it.fenced, ['the watermark is refused: epoch 3 is older than 4']);
  });

  test('out of reach, or lower: counted, and tried again', async () => {
    const it = bench();
    for (const code of ['unavailable', 'lower-sequence'] as const) {
      it.answer = err({ code, message: 'no' });
      assert.equal(await it.writer.write(), false);
    }
    assert.equal(it.writer.failures, 2);
    assert.equal(it.writer.last, null);
    it.answer = ok(undefined);
    assert.equal(await it.writer.write(), true);
    assert.deepEqual(it.fenced, []);
  });

  test('who does not own the rounds writes nothing, also when it is asked to', async () => {
    const it = bench();
    it.owns = false;
    assert.equal(await it.writer.write(), false);
    it.owns = true;
    it.writer.end();
    assert.equal(await it.writer.write(), false);
    assert.deepEqual(it.written, []);
    assert.equal(it.writer.failures, 0);
  });
});
