import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, humanLine } from './logger.js';

test('a line on a terminal is time, level, role, message and members', () => {
  const entry = {
    level: 'warn',
    time: '2026-11-23T10:00:00.123Z',
    role: 'edge',
    pid: 1,
    batch: 3,
    msg: 'slow sync',
  };
  assert.equal(humanLine(JSON.stringify(entry)), '10:00:00.123 warn  edge: slow sync  batch=3');
  const failed = { ...entry, err: { type: 'Error', message: 'EIO', stack: 'Error: EIO\n    at x' } };
  assert.equal(humanLine(JSON.stringify(failed)), '10:00:00.123 warn  edge: slow sync  batch=3  err=EIO');
});

test('without a terminal a log line is JSON, and the members that are secret are hidden', () => {
  const lines: string[] = [];
  const logger = createLogger('test', 'info', { write: (line) => lines.push(line) });
  logger.info({ token: 'a.b.c', account: { investor: 'alice', balance: 5 } }, 'imported');
  logger.debug('not at this level');
  assert.equal(lines.length, 1);
  const line = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.equal(line['level'], 'info');
  assert.equal(line['role'], 'test');
  assert.equal(line['token'], '(hidden)');
  assert.deepEqual(line['account'], { investor: 'alice', balance: '(hidden)' });
  assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT/);
});
