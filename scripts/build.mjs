// Compiles src, test and native-bench to dist, and removes what an earlier build left of sources that are gone:
// the tests run on dist, and a stale file there would be tested, or imported, for ever.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
// By path: two packages bring a command called `tsc`, and only this one is TypeScript 7.
const compiler = join(root, 'node_modules/@typescript/native/bin/tsc');

/** Removes compiled files without a source below `folder` of dist, then folders that this empties. */
function removeStale(folder) {
  for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) removeStale(path);
    else if (!existsSync(join(root, path.replace(/\.js$/, '.ts')))) rmSync(join(dist, path), { force: true });
  }
  if (folder !== '' && readdirSync(join(dist, folder)).length === 0) rmdirSync(join(dist, folder));
}

if (existsSync(dist)) removeStale('');
const { status, error } = spawnSync(process.execPath, [compiler, '-p', root], { stdio: 'inherit' });
if (error) throw error;
// npx does this once for a folder and remembers; a dist that is made anew in the same folder would be no command.
if (status === 0) chmodSync(join(dist, 'src/cli/main.js'), 0o755);
process.exitCode = status ?? 1;
