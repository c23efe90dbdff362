// The house rules as a test. Each rule first proves, on a bad sample, that it can fail.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import ts from 'typescript';
import { CODE_RULES } from './code-rules.js';
import { eachNode, parseSource, sourceFiles, textFiles } from './source-files.js';
import { TEXT_RULES } from './text-rules.js';

const LIMITS_FILE = 'src/core/limits.ts';
const FILES_MIN = 100;

const sources = sourceFiles();
const texts = textFiles();

test('there are files to check', () => {
  assert.ok(sources.length >= FILES_MIN, `${sources.length} TypeScript files`);
  assert.ok(texts.some(({ path }) => path === 'package-lock.json'));
});

describe('code', () => {
  for (const rule of CODE_RULES) {
    const where = ['src/core/bad.test.ts', 'src/core/bad.ts'].find(rule.applies) ?? assert.fail(rule.name);
    test(`${rule.name}: ${rule.why}`, () => {
      assert.notDeepEqual(
        rule.find(parseSource(where, rule.bad)),
        [],
        'the rule does not see its own bad sample',
      );
      const findings = sources
        .filter(({ path }) => rule.applies(path) && !(path in (rule.except ?? {})))
        .flatMap((file) => rule.find(file).map((finding) => `${file.path}:${finding}`));
      assert.deepEqual(findings, []);
    });
    if (!rule.except) continue;
    const { except } = rule;
    test(`${rule.name}: each exception is still needed`, () => {
      const idle = Object.keys(except).filter((path) => {
        const file = sources.find((source) => source.path === path);
        return file === undefined || rule.find(file).length === 0;
      });
      assert.deepEqual(idle, []);
    });
  }
});

describe('text', () => {
  for (const rule of TEXT_RULES) {
    test(`${rule.name}: ${rule.why}`, () => {
      assert.ok(rule.applies(rule.bad.path));
      assert.notDeepEqual(rule.find(rule.bad), [], 'the rule does not see its own bad sample');
      const findings = texts
        .filter(({ path }) => rule.applies(path))
        .flatMap((file) => rule.find(file).map((finding) => `${file.path}:${finding}`));
      assert.deepEqual(findings, []);
    });
  }
});

test('every bound of limits.ts bounds something', () => {
  const limits = sources.find(({ path }) => path === LIMITS_FILE) ?? assert.fail(LIMITS_FILE);
  const bounds: string[] = [];
  eachNode(limits.tree, (node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name)) bounds.push(node.name.text);
  });
  assert.ok(bounds.length > 0);
  const used = new Set<string>();
  for (const file of sources) {
    if (file.path === LIMITS_FILE || file.path.endsWith('.test.ts') || !file.path.startsWith('src/'))
      continue;
    eachNode(file.tree, (node) => {
      if (ts.isIdentifier(node)) used.add(node.text);
    });
  }
  assert.deepEqual(
    bounds.filter((bound) => !used.has(bound)),
    [],
  );
});
