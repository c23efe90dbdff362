// package.json and its lock: exact versions, in step, installable on every platform and from whatever registry is set up.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './source-files.js';

type Versions = Readonly<Record<string, string>>;

interface Package {
  readonly version?: string;
  readonly license?: string;
  readonly resolved?: string;
  readonly dependencies?: Versions;
  readonly devDependencies?: Versions;
  readonly optionalDependencies?: Versions;
}

const readJson = <T>(name: string): T => JSON.parse(readFileSync(join(ROOT, name), 'utf8')) as T;

const manifest = readJson<Package & { readonly allowScripts: Readonly<Record<string, boolean>> }>(
  'package.json',
);
const locked = readJson<{ packages: Record<string, Package & { readonly hasInstallScript?: boolean }> }>(
  'package-lock.json',
).packages;
const direct = { ...manifest.dependencies, ...manifest.devDependencies };

/** The locked package that `name` means inside the package at `path`. */
function resolve(path: string, name: string): string | undefined {
  const folders = path.split('/node_modules/');
  for (let depth = folders.length; depth >= 0; depth--) {
    const candidate = [...folders.slice(0, depth), ''].join('/node_modules/').replace(/^\//, '') + name;
    if (candidate in locked) return candidate;
  }
  return `node_modules/${name}` in locked ? `node_modules/${name}` : undefined;
}

test('every direct dependency has one exact version, the locked one', () => {
  assert.ok(Object.keys(direct).length > 10);
  for (const [name, wanted] of Object.entries(direct)) {
    const version = wanted.replace(/^npm:.*@/, '');
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    assert.equal(locked[`node_modules/${name}`]?.version, version, name);
  }
  assert.deepEqual(locked['']?.dependencies, manifest.dependencies);
  assert.deepEqual(locked['']?.devDependencies, manifest.devDependencies);
});

test('the lock has an entry for every platform, or a clean install refuses it', () => {
  const missing = Object.entries(locked).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter((name) => resolve(path, name) === undefined),
  );
  assert.deepEqual(missing, []);
});

test('the lock names no place to load from', () => {
  const places = Object.values(locked).flatMap(({ resolved }) => resolved ?? []);
  assert.deepEqual(places, []);
});

test('each install script was looked at, and declined: the packages bring their binaries', () => {
  const withScript = Object.entries(locked)
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace('node_modules/', ''));
  assert.deepEqual(manifest.allowScripts, Object.fromEntries(withScript.map((name) => [name, false])));
});

test('each dependency earns its place in docs/DEPENDENCIES.md', () => {
  const text = readFileSync(join(ROOT, 'docs/DEPENDENCIES.md'), 'utf8');
  const listed = [...text.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(listed.toSorted(), Object.keys(direct).toSorted());
});
