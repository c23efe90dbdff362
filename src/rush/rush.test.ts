// The whole load tool against a double of the node: that its figures are right, and that it finds what is broken.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StubFault, type StubOptions, startStubNode } from '../../test/harness/stub-node.js';
import { loadConfig } from '../core/config.js';
import { type RushArguments, rushOptions } from './options.js';
import type { RushReport } from './report.js';
import { runRush } from './run.js';

async function rush(
  stub: StubOptions,
  args: RushArguments,
): Promise<RushReport & { imported: number; decided: number }> {
  const node = await startStubNode(stub);
  try {
    const config = loadConfig({ env: {}, cores: 1 });
    assert(config.ok);
    const urls = { url: node.url, 'admin-url': node.url, 'ledger-url': node.url };
    const options = rushOptions(
      { seed: '7', connections: '16', investors: '500', ...urls, ...args },
      config.value,
    );
    assert(options.ok, JSON.stringify(options));
    const report = await runRush(options.value, {
      signing: { secret: 'x'.repeat(32), expiresAtS: 4_000_000_000 },
      adminToken: 'admin',
      signal: new AbortController().signal,
      progress: () => undefined,
    });
    assert(report.ok, JSON.stringify(report));
    return { ...report.value, imported: node.imported(), decided: node.decided() };
  } finally {
    node.close();
  }
}

const brokenChecks = (report: RushReport): string[] =>
  report.checks.filter((check) => !check.ok).map((check) => check.name);

for (const transport of ['http', 'ws', 'mixed']) {
  for (const format of ['json', 'msgpack']) {
    test(`${transport} with ${format}: every attempt is answered once and all checks hold`, async () => {
      const args = { rate: '0', attempts: '2000', transport, format, duplicates: '10', poor: '10' };
      const report = await rush({ cap: 2_000_000 }, args);
      assert.equal(report.attempts, 2_000);
      assert.equal(report.imported, 500);
      const answers = Object.values(report.verdicts).reduce((sum, count) => sum + count, 0);
      assert.equal(answers, 2_000);
      assert.ok(report.verdicts['accepted']! > 0 && report.verdicts['round-full']! > 0);
      assert.ok(report.verdicts['already-invested']! > 0 && report.verdicts['insufficient-balance']! > 0);
      assert.equal(report.replayed, 2_000 - report.decided, 'each duplicate replays, and nothing else');
      assert.deepEqual(report.errors, {});
      assert.equal(report.checks.length, 6);
      assert.deepEqual(brokenChecks(report), []);
      assert.ok(report.ok);
    });
  }
}

test('with a rate, exactly rate times duration attempts are offered', async () => {
  const report = await rush({ cap: 100_000_000 }, { rate: '500', duration: '1', curve: 'bell' });
  assert.equal(report.attempts, 500);
  assert.equal(report.dropped + report.unknown, 0);
  assert.ok(report.ok);
});

test('a lost answer is asked for again with its key, and the truth is found', async () => {
  for (const transport of ['http', 'ws']) {
    const report = await rush({ cap: 2_000_000, loseEvery: 50 }, { rate: '0', attempts: '1000', transport });
    assert.ok(report.retries > 0);
    assert.equal(report.unknown, 0);
    assert.equal(report.decided, 1_000, 'asking again decides nothing anew');
    assert.deepEqual(brokenChecks(report), []);
  }
});

test('latency counts from the intended time while the node answers nothing', async () => {
  const node = await startStubNode({ cap: 100_000_000, hold: true });
  const config = loadConfig({ env: {}, cores: 1 });
  assert(config.ok);
  const urls = { url: node.url, 'admin-url': node.url, 'ledger-url': node.url };
  const args = { rate: '200', attempts: '100', connections: '4', investors: '200', ...urls };
  const options = rushOptions(args, config.value);
  assert(options.ok);
  // All 100 are due within 500 ms, but only 4 can be in flight: released once the last is due, the first is as old as that.
  const report = await runRush(options.value, {
    signing: { secret: 'x'.repeat(32), expiresAtS: 4_000_000_000 },
    adminToken: 'admin',
    signal: new AbortController().signal,
    progress: ({ stage, done }) => {
      if (stage === 'rush' && done === 100) node.release();
    },
  });
  node.close();
  assert(report.ok);
  assert.ok(report.value.latencyMs.max >= 490, `max ${report.value.latencyMs.max}`);
  assert.ok(
    report.value.latencyMs.p50 >= 200,
    `p50 ${report.value.latencyMs.p50}: most waited unsent, and that counts`,
  );
  assert.ok(report.value.ok);
});

const FAULTS: readonly (readonly [StubFault, string])[] = [
  ['oversell', 'I1'],
  ['forget', 'I2'],
  ['two-verdicts', 'I3'],
  ['not-replayed', 'I3'],
  ['two-live', 'I4'],
  ['full-with-room', 'I11'],
  ['undersell', 'I12'],
];

for (const [fault, check] of FAULTS) {
  test(`a node with the fault ${fault} is found by ${check}`, async () => {
    // The second attempts of an investor must still find room to be a second live one.
    const cap = fault === 'two-live' ? 20_000_000 : 2_000_000;
    const report = await rush({ cap, fault }, { rate: '0', attempts: '1500', duplicates: '10' });
    assert.ok(brokenChecks(report).includes(check), JSON.stringify(report.checks));
    assert.equal(report.ok, false);
  });
}

test('an unreachable node is unavailable, exit 69', async () => {
  const node = await startStubNode({ cap: 1 });
  node.close();
  const config = loadConfig({ env: {}, cores: 1 });
  assert(config.ok);
  const options = rushOptions({ url: node.url, round: 'crowd' }, config.value);
  assert(options.ok);
  const report = await runRush(options.value, {
    signing: { secret: 'x'.repeat(32), expiresAtS: 4_000_000_000 },
    adminToken: 'admin',
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  assert.equal(report.ok, false);
  assert.equal(!report.ok && report.error.exitCode, 69);
});
