// Who may import whom, by .dependency-cruiser.cjs: the real tree has no violation, and a tree made to break every rule
// has them all. Without a TypeScript that it can load, dependency-cruiser finds no modules and is content: hence the minima.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './source-files.js';

const MODULES_MIN = 150;
const DEPENDENCIES_MIN = 500;
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const CONFIG = join(ROOT, '.dependency-cruiser.cjs');

interface Summary {
  readonly totalCruised: number;
  readonly totalDependenciesCruised: number;
  readonly violations: readonly {
    readonly from: string;
    readonly to: string;
    readonly rule: { readonly name: string };
  }[];
}

/** What dependency-cruiser finds in these folders of `cwd`. It exits with the number of violations. */
function cruise(cwd: string, folders: readonly string[]): Promise<Summary> {
  const args = [CRUISER, ...folders, '--config', CONFIG, '--output-type', 'json'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd, maxBuffer: 64 * 1_048_576 }, (error, stdout, stderr) => {
      if (!stdout.startsWith('{')) reject(error ?? new Error(stderr));
      else resolve((JSON.parse(stdout) as { summary: Summary }).summary);
    });
  });
}

test('imports go one way', async () => {
  const summary = await cruise(ROOT, ['src', 'test', 'native-bench']);
  assert.deepEqual(
    summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
    [],
  );
  assert.ok(summary.totalCruised >= MODULES_MIN, `${summary.totalCruised} modules`);
  assert.ok(
    summary.totalDependenciesCruised >= DEPENDENCIES_MIN,
    `${summary.totalDependenciesCruised} dependencies`,
  );
});

/** Files that break each rule once. */
const BROKEN: Readonly<Record<string, string>> = {
  'src/core/money.ts': "import '../edge/app.js';\nimport 'node:fs';\nexport const money = 1;",
  'src/edge/app.ts': "import '../cli/up.js';\nimport './loop.js';\nimport 'lmdb';",
  'src/edge/loop.ts': "import './app.js';",
  'src/workers/shard.ts': "import '../edge/app.js';\nimport 'uWebSockets.js';",
  'src/ledger/main.ts': "import '../workers/shard.js';\nimport 'fast-check';",
  'src/engines/bus.ts': "import '../ledger/main.js';",
  'src/http/server.ts': "import '../workers/shard.js';",
  'src/rush/drive.ts': "import '../cli/up.js';",
  'src/cli/up.ts': "import '../../test/harness/ports.js';\nimport './gone.js';",
  'src/misc/thing.ts': "import '../core/money.js';",
  'test/harness/ports.ts': 'export const port = 1;',
};

test('each rule sees what breaks it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'openbell-imports-'));
  try {
    for (const [path, text] of Object.entries(BROKEN)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), `${text}\n`);
    }
    for (const name of ['node_modules', 'package.json', 'tsconfig.json'])
      await symlink(join(ROOT, name), join(dir, name));
    const { violations } = await cruise(dir, ['src', 'test']);
    const broken = new Set(violations.map(({ rule }) => rule.name));
    const expected = [
      ...['core', 'http', 'engines', 'workers', 'edge', 'ledger', 'rush'].map(
        (folder) => `${folder}-imports-downwards`,
      ),
      'known-folders',
      'no-circular',
      'no-tests-in-the-product',
      'resolvable',
      'only-declared-dependencies',
      'sockets-in-the-main-thread',
      'lmdb-has-its-places',
      'core-is-pure',
    ];
    assert.deepEqual(
      expected.filter((name) => !broken.has(name)),
      [],
      'rules that see nothing',
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
