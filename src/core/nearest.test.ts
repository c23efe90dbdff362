import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest } from './nearest.js';

test('finds what was meant, case and separators apart', () => {
  const names = ['open', 'pause', 'resume', 'close', 'dataDir'];
  assert.equal(nearest('opne', names), 'open');
  assert.equal(nearest('pasue', names), 'pause');
  assert.equal(nearest('data_dir', names), 'dataDir');
  assert.equal(nearest('CLOSE', names), 'close');
});

test('finds nothing where nothing is near', () => {
  assert.equal(nearest('delete', ['open', 'pause']), null);
  assert.equal(nearest('', ['open']), null);
  assert.equal(nearest('x'.repeat(1_000), ['open']), null);
});
