import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readLineGroups } from './import-lines.js';
import { temporaryDirectory } from './run-cli.js';

async function linesOf(t: TestContext, content: string): Promise<string[]> {
  const path = join(temporaryDirectory(t), 'lines');
  writeFileSync(path, content);
  const file = await open(path, 'r');
  try {
    const lines: string[] = [];
    for await (const group of readLineGroups(file)) lines.push(...group);
    return lines;
  } finally {
    await file.close();
  }
}

test('lines are what is between line feeds, with or without one at the end', async (t) => {
  assert.deepEqual(await linesOf(t, 'a\nb\n'), ['a', 'b']);
  assert.deepEqual(await linesOf(t, 'a\n\nb'), ['a', '', 'b']);
  assert.deepEqual(await linesOf(t, ''), []);
});

test('lines and characters that cross blocks stay whole', async (t) => {
  const lines = Array.from({ length: 150_000 }, (_, i) => `zoë-${i}-${'x'.repeat(i % 29)}`);
  assert.deepEqual(await linesOf(t, lines.join('\n')), lines);
});

test('a line without end is cut, and the next one is found', async (t) => {
  const lines = await linesOf(t, `a\n${'x'.repeat(5_000_000)}\nb\n`);
  assert.equal(lines.length, 3);
  assert.equal(lines[0], 'a');
  assert.ok(lines[1]!.length > 400 && lines[1]!.length < 5_000_000);
  assert.equal(lines[2], 'b');
});
