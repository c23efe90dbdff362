// Runs the compiled tests: `node test/run.mjs [PART-OF-A-PATH ...]`. A file's suffix says what it needs and so how it
// is run: pure and LMDB tests two at a time, everything that starts processes or needs a tool of the host by itself, and
// the tests of Cassandra at the end, when one server has been started for all of them.
// The last line is `N passed, N failed, N skipped`; what was skipped, and why, is listed above it.

import { setMaxListeners } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ['src', 'test', 'native-bench'];
/** Suffixes of tests that share nothing but CPU. All others have the machine to themselves. */
const TOGETHER = [/^[^.]+\.test\.js$/, /\.lmdb\.test\.js$/];
const TOGETHER_AT_A_TIME = 2;
const CASSANDRA = /\.cassandra\.test\.js$/;
const FILE_TIMEOUT_MS = 5 * 60_000;
const TOTAL_TIMEOUT_MS = Number.parseInt(process.env.TEST_TIMEOUT_MS ?? `${40 * 60_000}`, 10);
/** Set where every tool is installed (as in .ci/run): there a test that does not run is a failure. */
const SKIPS_FAIL = process.env.REQUIRE_ENGINES === '1';

/** Every compiled test file, in a stable order. */
function testFiles() {
  const files = [];
  for (const folder of FOLDERS) {
    const path = join(ROOT, 'dist', folder);
    if (!existsSync(path)) continue;
    for (const name of readdirSync(path, { recursive: true })) {
      if (name.endsWith('.test.js')) files.push(join(path, name));
    }
  }
  return files.sort();
}

const counts = { passed: 0, failed: 0 };
const skipped = [];
const failed = [];

/** Adds one event of the runner to the counts. A suite, or a test, that fails only by its parts is its parts. */
function count(kind, data) {
  const file = relative(ROOT, data.file ?? '');
  const isFile = data.name === data.file; // what the runner reports for a file without a single test
  if (data.skip !== undefined)
    skipped.push(`${file}: ${data.name} (${data.skip === true ? 'no reason given' : data.skip})`);
  else if (kind === 'test:fail' || isFile) {
    if (data.details.error?.failureType === 'subtestsFailed') return;
    counts.failed += 1;
    failed.push(
      isFile
        ? `${file}: ${kind === 'test:fail' ? 'the file itself' : 'holds no test'}`
        : `${file}: ${data.name}`,
    );
  } else if (data.details.type !== 'suite') counts.passed += 1;
}

/** Runs one group to its end, printing as it goes. */
async function runGroup(files, concurrency, signal) {
  if (files.length === 0) return;
  const events = run({ files, concurrency, timeout: FILE_TIMEOUT_MS, signal });
  events.on('test:pass', (data) => count('test:pass', data));
  events.on('test:fail', (data) => count('test:fail', data));
  const reporter = new spec();
  events.pipe(reporter).pipe(process.stdout, { end: false });
  await finished(reporter, { writable: false });
}

const wanted = process.argv.slice(2).map((part) => part.replace(/\.ts$/, '.js'));
const files = testFiles().filter(
  (file) => wanted.length === 0 || wanted.some((part) => relative(ROOT, file).includes(part)),
);
if (files.length === 0) {
  console.error(
    `no test file matches ${wanted.join(' ') || 'dist/**/*.test.js'}: is it built? (npm run build)`,
  );
  process.exit(1);
}
const together = files.filter((file) =>
  TOGETHER.some((suffix) => suffix.test(file.slice(file.lastIndexOf('/') + 1))),
);
const cassandra = files.filter((file) => CASSANDRA.test(file));
const alone = files.filter((file) => !together.includes(file) && !cassandra.includes(file));

/** Runs the tests of Cassandra beside the server that they share. */
async function runCassandraGroup(signal) {
  if (cassandra.length === 0 || signal.aborted) return;
  const { startForCassandraTests } = await import('../dist/test/harness/run-engines.js');
  let stop;
  try {
    stop = await startForCassandraTests();
    await runGroup(cassandra, 1, signal);
  } catch (error) {
    console.error(error);
    counts.failed += 1;
    failed.push('the Cassandra that the tests share');
  } finally {
    await stop?.();
  }
}

const timeout = new AbortController();
setMaxListeners(0, timeout.signal); // one listener a file
const timer = setTimeout(() => {
  console.error(`stopped: the tests took longer than ${TOTAL_TIMEOUT_MS} ms`);
  counts.failed += 1;
  timeout.abort();
}, TOTAL_TIMEOUT_MS);
await runGroup(together, TOGETHER_AT_A_TIME, timeout.signal);
if (!timeout.signal.aborted) await runGroup(alone, 1, timeout.signal);
await runCassandraGroup(timeout.signal);
clearTimeout(timer);

if (failed.length > 0)
  console.log(`\nFailed (${failed.length}):\n${failed.map((line) => `  ${line}\n`).join('')}`);
if (skipped.length > 0) {
  console.log(
    `\nSKIPPED (${skipped.length}), so NOT shown to work here:\n${skipped.map((line) => `  ${line}\n`).join('')}`,
  );
  if (SKIPS_FAIL) {
    console.log('REQUIRE_ENGINES=1: each skip counts as a failure.');
    counts.failed += skipped.length;
  }
}
if (counts.passed === 0) console.log('No test passed: that is a failure.');
process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${SKIPS_FAIL ? 0 : skipped.length} skipped`);
