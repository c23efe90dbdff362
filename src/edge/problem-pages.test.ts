// The pages of problems: one for each code, escaped, and none for what is no code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROBLEMS } from '../core/problem.js';
import { escapeHtml } from './html.js';
import { problemPage } from './problem-pages.js';

test('every problem has a page with its status, title, explanation and advice', () => {
  for (const [code, { status, title, explanation }] of Object.entries(PROBLEMS)) {
    const page = problemPage(code);
    assert.ok(page !== undefined, code);
    for (const part of [
      `HTTP ${status}`,
      `<code>${code}</code>`,
      `<h1>${escapeHtml(title)}</h1>`,
      'What to do',
    ]) {
      assert.ok(page.includes(part), `${code}: ${part}`);
    }
    assert.ok(page.includes(escapeHtml(explanation)), code);
    assert.doesNotMatch(page, /undefined|https?:\/\//, code);
  }
});

test('only the verdicts that stick to a key say so', () => {
  const sticking = Object.keys(PROBLEMS).filter((code) => problemPage(code)?.includes('This verdict sticks'));
  assert.deepEqual(sticking.sort(), [
    'already-invested',
    'insufficient-balance',
    'not-eligible',
    'round-full',
  ]);
});

test('an unknown code has none, nor what every object has', () => {
  for (const code of ['', 'nothing', 'toString', '__proto__', 'constructor', '<b>']) {
    assert.equal(problemPage(code), undefined, code);
  }
});

test('text is escaped', () => {
  assert.equal(escapeHtml(`<a b="c" d='e'>&`), '&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
});
