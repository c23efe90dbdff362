// This file is its own worker: several threads append to one journal at once.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { VerdictRow } from '../core/rows.js';
import { AT, openJournal, recover, roundRow, temporaryDirectory, verdictRow } from './journal-fixture.js';
import { FrameBuilder } from './journal-frame.js';
import { JournalHead } from './journal-head.js';
import { isSound, verifyJournal } from './journal-verify.js';
import { type JournalDisk, JournalFailed, JournalWriter } from './journal-writer.js';

const SEGMENT_BYTES = 65_536;
const CHILD_DIR = process.env['OPENBELL_TEST_JOURNAL'];

interface Work {
  readonly dir: string;
  readonly shared: SharedArrayBuffer;
  readonly name: string;
  readonly frames: number;
  /** The sync that fails; 0: none. */
  readonly failAt: number;
}

interface Done {
  /** First sequence and rows of each frame, as the writer answered. */
  readonly appended: readonly (readonly [number, number])[];
  readonly failure: string | null;
}

function work({ dir, shared, name, frames, failAt }: Work): Done {
  let syncs = 0;
  const disk: JournalDisk = {
    write: (fd, buffer, offset, length, position) => fs.writeSync(fd, buffer, offset, length, position),
    sync: (fd) => {
      syncs += 1;
      if (syncs === failAt) throw new Error('EIO: injected');
      fs.fdatasyncSync(fd);
    },
  };
  const writer = new JournalWriter(dir, new JournalHead(shared), {
    segmentBytes: SEGMENT_BYTES,
    epoch: 1,
    disk,
  });
  const frame = new FrameBuilder();
  const appended: [number, number][] = [];
  try {
    for (let i = 0; i < frames; i++) {
      frame.reset();
      for (let j = 0; j <= i % 5; j++) frame.add(verdictRow(`${name}-${i}-${j}`, { amount: 1 }));
      appended.push([writer.append(frame, AT), frame.count]);
    }
    return { appended, failure: null };
  } catch (error) {
    if (!(error instanceof JournalFailed)) throw error;
    return { appended, failure: error.failure };
  } finally {
    writer.close();
  }
}

/** Appends for ever and says each time, in one write of a line, what is durable; to be killed. */
function appendUntilKilled(dir: string): never {
  const journal = openJournal(dir, { segmentBytes: SEGMENT_BYTES });
  if (journal.head.nextSequence === 1) journal.append(roundRow());
  for (let i = 0; ; i++) {
    const rows = Array.from({ length: 1 + (i % 40) }, (_, j) =>
      verdictRow(`${journal.head.nextSequence}-${j}`, { amount: 1 }),
    );
    journal.append(...rows);
    fs.writeSync(1, `${journal.head.durableSequence}\n`);
  }
}

async function run(works: readonly Work[]): Promise<Done[]> {
  return Promise.all(
    works.map(async (workerData) => {
      const worker = new Worker(new URL(import.meta.url), { workerData });
      const [[done]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return done as Done;
    }),
  );
}

if (CHILD_DIR !== undefined) {
  appendUntilKilled(CHILD_DIR);
} else if (!isMainThread && workerData !== null) {
  parentPort?.postMessage(work(workerData as Work));
} else {
  test('frames of four threads are dense, chained and all there, across segments', async (t) => {
    const journal = openJournal(temporaryDirectory(), { segmentBytes: SEGMENT_BYTES });
    t.after(journal.remove);
    journal.append(roundRow());
    const { dir, shared } = journal;
    const names = ['a', 'b', 'c', 'd'];
    const done = await run(names.map((name) => ({ dir, shared, name, frames: 300, failAt: 0 })));
    const recovered = recover(dir);
    assert.ok(recovered.value !== null);
    assert.equal(recovered.value.torn, null);
    assert.ok(recovered.value.end.segment > 1);
    assert.equal(recovered.rows.length, journal.head.durableSequence);
    assert.equal(recovered.frames.length, 1 + 4 * 300);
    done.forEach(({ appended, failure }, thread) => {
      assert.equal(failure, null);
      appended.forEach(([first, count], frame) => {
        for (let j = 0; j < count; j++) {
          const row = recovered.rows[first + j - 1] as VerdictRow;
          assert.equal(row.investor, `${names[thread]}-${frame}-${j}`);
        }
      });
    });
    assert.ok(isSound(verifyJournal(dir, Number.POSITIVE_INFINITY)));
  });

  test('one failed sync in one thread ends appending in all, and all that was answered is there', async (t) => {
    const journal = openJournal(temporaryDirectory(), { segmentBytes: SEGMENT_BYTES });
    t.after(journal.remove);
    journal.append(roundRow());
    const { dir, shared } = journal;
    const works = ['a', 'b', 'c'].map((name, i) => ({
      dir,
      shared,
      name,
      frames: 100_000,
      failAt: i === 1 ? 50 : 0,
    }));
    const done = await run(works);
    assert.deepEqual(
      done.map(({ failure }) => failure),
      ['sync', 'sync', 'sync'],
    );
    assert.throws(() => journal.append(verdictRow('x')), JournalFailed);
    const { rows, value } = recover(dir);
    assert.ok(value !== null);
    const answered = Math.max(
      ...done.flatMap(({ appended }) => appended.map(([first, count]) => first + count - 1)),
    );
    assert.equal(answered, journal.head.durableSequence);
    assert.ok(rows.length >= answered);
  });

  test('kill -9 at any instant loses nothing that was told, and the journal goes on', async (t) => {
    const dir = temporaryDirectory();
    t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
    for (let life = 1; life <= 6; life++) {
      const env = { ...process.env, OPENBELL_TEST_JOURNAL: dir };
      const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let told = '';
      let lines = 0;
      for await (const chunk of child.stdout) {
        told += chunk as string;
        lines = told.split('\n').length;
        if (lines > life * 40) child.kill('SIGKILL');
      }
      const durable = Number.parseInt(told.trimEnd().split('\n').at(-1) ?? '', 10);
      const { rows, value } = recover(dir, null, durable);
      assert.ok(value !== null, 'what was told is a floor that the journal reaches');
      assert.ok(rows.length >= durable);
      const report = verifyJournal(dir, Number.POSITIVE_INFINITY);
      assert.ok(isSound(report), JSON.stringify(report.problems));
    }
  });
}
