// `openbell journal` as it is typed: what it prints, and its exit codes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  openJournal,
  outcomeRow,
  patch,
  peek,
  recover,
  roundRow,
  temporaryDirectory,
  verdictRow,
} from '../workers/journal-fixture.js';
import { cleanEnv } from './run-cli.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
const dataDir = temporaryDirectory();
const dir = path.join(dataDir, 'edge', 'journal');

function openbell(...args: string[]): { code: number | null; out: string; err: string } {
  const env = cleanEnv({ OPENBELL_DATA_DIR: dataDir });
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'journal', ...args], {
    encoding: 'utf8',
    env,
  });
  return { code: status, out: stdout, err: stderr };
}

before(() => {
  const journal = openJournal(dir);
  journal.append(roundRow());
  journal.append(verdictRow('alice'), verdictRow('bob', { verdict: 'not-eligible' }));
  journal.append(outcomeRow('alice', 2, { state: 'declined', reason: 'insufficient-funds' }));
  journal.append(verdictRow('carol', { amount: 700 }));
  journal.writer.close();
});

after(() => fs.rmSync(dataDir, { recursive: true }));

test('verify says that a sound journal is sound, with its totals', () => {
  const plain = openbell('verify');
  assert.equal(plain.code, 0, plain.err);
  assert.match(plain.out, /: sound\n4 frames, 5 rows, last sequence 5\n/);
  assert.match(plain.out, /crowd +1000000 +700 +1 +0 +500 +1\n/);
  const json = JSON.parse(openbell('verify', '--json', '--data-dir', dataDir).out);
  assert.equal(json.ok, true);
  assert.equal(json.lastSequence, 5);
  assert.equal(json.rounds[0].admitted, 700);
});

test('dump prints the rows that were asked for, as lines or as JSON', () => {
  const all = openbell('dump');
  assert.equal(all.code, 0, all.err);
  const lines = all.out.trimEnd().split('\n');
  assert.equal(lines.length, 5);
  assert.match(lines[0]!, /^1\t2025-11-23T\S+Z\tround-created\tround=1\tid=crowd/);
  assert.match(
    lines[3]!,
    /\tdeclined\treason=insufficient-funds\tround=1\tinvestor=alice\tinvestment=2\tamount=500$/,
  );
  const some = openbell('dump', '--from', '3', '--limit', '2', '--json').out.trimEnd().split('\n');
  assert.deepEqual(
    some.map((line) => JSON.parse(line).sequence),
    [3, 4],
  );
  assert.match(JSON.parse(some[0]!).at, /^2025-11-23T.*Z$/);
});

test('damage is named with its place, and exits 1', (t) => {
  const frame = recover(dir).frames[1]!;
  const byte = peek(dir, frame.segment, frame.offset + 50, 1);
  patch(dir, frame.segment, frame.offset + 50, Buffer.from([byte[0]! ^ 1]));
  t.after(() => patch(dir, frame.segment, frame.offset + 50, byte));
  const verify = openbell('verify');
  assert.equal(verify.code, 1);
  assert.match(
    verify.out,
    new RegExp(`damaged in segment 0 at offset ${frame.offset}, expected sequence 2: `),
  );
  const dump = openbell('dump');
  assert.equal(dump.code, 1);
  assert.equal(dump.out.trimEnd().split('\n').length, 1, 'what lies before the damage is printed');
  assert.match(dump.err, /damaged in segment 0/);
});

test('a torn tail is said and no damage', (t) => {
  const frame = recover(dir).frames.at(-1)!;
  patch(dir, frame.segment, frame.offset + frame.bytes, Buffer.from('torn'));
  t.after(() => patch(dir, frame.segment, frame.offset + frame.bytes, Buffer.alloc(4)));
  const verify = openbell('verify');
  assert.equal(verify.code, 0);
  assert.match(verify.out, /torn tail: 4 bytes/);
});

test('mistakes have the exit code of their kind', () => {
  for (const args of [
    [],
    ['verfy'],
    ['verify', '--from', '1'],
    ['dump', '--from', '0'],
    ['dump', '--limit', 'x'],
  ]) {
    const { code, err } = openbell(...args);
    assert.equal(code, 64, args.join(' '));
    assert.equal(err.trimEnd().split('\n').length, 1);
  }
  const none = openbell('verify', '--data-dir', path.join(dataDir, 'elsewhere'));
  assert.equal(none.code, 78);
  assert.match(none.err, /no journal/);
  assert.equal(openbell('--help').code, 0);
  assert.match(openbell('dump', '--help').out, /--limit N/);
});
