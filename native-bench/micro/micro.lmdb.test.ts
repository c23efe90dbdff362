// Every micro suite in its smoke size: each case runs on the real modules, yields samples, and is heard when it fails.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { describeMachine } from '../common/machine.js';
import { benchMicro } from './main.js';
import { type MicroResult, markdown, readResult } from './result-file.js';
import { runSuites, SUITES, suitesNamed } from './run.js';
import { runSuite, SMOKE, type Suite, type World } from './suite.js';

const dir = mkdtempSync(join(tmpdir(), 'openbell-micro-test-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const options = { dir, smoke: true, effort: SMOKE, log: () => undefined };
const world: World = { dir, size: (_, smoke) => smoke };

/** Cases of each suite that must not go missing unnoticed. */
const CASES_MIN: Readonly<Record<string, number>> = {
  decision: 5,
  'token-check': 8,
  'body-parse': 3,
  codec: 7,
  'cap-counter': 3,
  idempotency: 2,
  'journal-append': 8,
  'hand-off': 3,
  'index-flush': 1,
};

for (const suite of SUITES) {
  test(`${suite.name} runs`, async () => {
    const [result] = await runSuites([suite], options);
    assert.ok(result !== undefined && result.cases.length >= (CASES_MIN[suite.name] ?? Number.NaN));
    for (const { name, samples, latencyUs, perSecond } of result.cases) {
      assert.ok(samples >= SMOKE.samples, `${name}: ${samples} samples`);
      const { min, p50, p99, p999, mean } = latencyUs;
      for (const us of [min, p50, mean]) assert.ok(us > 0 && Number.isFinite(us), `${name}: ${us} µs`);
      assert.ok(min <= p50 && p50 <= p99 && p99 <= p999, name);
      assert.ok(perSecond > 0, name);
    }
    const rows = markdown([result]).match(/^\| .* × \d+ \|$/gm) ?? [];
    assert.equal(rows.length, result.cases.length);
  });
}

test('every suite is in the list of what must run', () => {
  assert.deepEqual(SUITES.map(({ name }) => name).sort(), Object.keys(CASES_MIN).sort());
  assert.equal(suitesNamed([]), SUITES);
  assert.deepEqual(
    suitesNamed(['codec']),
    SUITES.filter(({ name }) => name === 'codec'),
  );
  assert.throws(() => suitesNamed(['codec', 'codecs']), /no such suite: codecs; there are decision/);
});

test('a case that throws ends the run and is named, and what its suite held is closed', async () => {
  let closed = 0;
  const failing = (run: () => undefined | Promise<undefined>, async?: true): Suite => ({
    name: 'bad',
    about: '',
    prepare: () => ({
      cases: [{ name: 'worse', operations: 1, ...(async === true ? { async } : {}), run }],
      close: () => {
        closed++;
      },
    }),
  });
  const now = failing(() => {
    throw new Error('no disk');
  });
  const later = failing(() => Promise.reject(new Error('no thread')), true);
  await assert.rejects(runSuite(now, world, SMOKE), /bad, worse: Error: no disk/);
  await assert.rejects(runSuite(later, world, SMOKE), /bad, worse: Error: no thread/);
  assert.equal(closed, 2);
});

test('a sample is the mean of one call, by the clock of the case where it has one', async () => {
  let calls = 0;
  const suite: Suite = {
    name: 'own-clock',
    about: '',
    prepare: () => ({
      cases: [{ name: 'two seconds', operations: 4, before: () => void calls++, run: () => 2_000 }],
    }),
  };
  const { cases } = await runSuite(suite, world, SMOKE);
  assert.equal(cases[0]?.latencyUs.p50, 500_000);
  assert.equal(cases[0]?.perSecond, 2);
  assert.equal(calls, cases[0]?.samples);
});

test('the command compares with an earlier file, and fails when a case got slower', async () => {
  const [decision] = await runSuites(suitesNamed(['decision']), options);
  assert.ok(decision !== undefined);
  /** A file in which every case took `factor` times as long as it just did. */
  const earlier = (factor: number): string => {
    const cases = decision.cases.map((each) => {
      const latencyUs = { ...each.latencyUs, p50: each.latencyUs.p50 * factor, mad: 0 };
      return { ...each, latencyUs };
    });
    const result: MicroResult = {
      ...{ kind: 'micro', at: '2026-11-23T10:00:00.000Z', machine: describeMachine(dir), effort: SMOKE },
      suites: [{ ...decision, cases }],
    };
    const file = join(dir, `earlier-${factor}.json`);
    writeFileSync(file, JSON.stringify(result));
    return file;
  };
  const printed: string[] = [];
  const results = join(dir, 'results');
  const command = (file: string) =>
    benchMicro(['decision', '--smoke', '--scratch', dir, '--out', results, '--compare', file], {
      out: (text) => void printed.push(text),
      log: () => undefined,
    });
  assert.equal(await command(earlier(1e6)), 0);
  assert.match(printed.join('\n'), /\| faster \|/);
  printed.length = 0;
  assert.equal(await command(earlier(1e-6)), 1);
  assert.match(printed.join('\n'), /\| decision: .*\| slower \|/);
  assert.ok(!readdirSync(dir).includes('results'), 'the smoke size leaves no results');
});

test('arguments that are none are refused', async () => {
  const printer = { out: () => undefined, log: () => undefined };
  for (const args of [['--seconds', '0'], ['--seconds', 'x'], ['decisions'], ['--fast']])
    await assert.rejects(benchMicro(['decision', ...args], printer), /--seconds takes|no such suite|--fast/);
});

test('a measurement leaves its figures and its plots', async () => {
  const results = join(dir, 'figures');
  const printed: string[] = [];
  const args = ['decision', '--scratch', dir, '--out', results, '--seconds', '0.01'];
  const code = await benchMicro(args, { out: (text) => void printed.push(text), log: () => undefined });
  assert.equal(code, 0);
  const names = readdirSync(results).sort();
  assert.equal(names.length, 2);
  const file = names.find((name) => name.endsWith('.json')) ?? '';
  const { machine, suites } = readResult(join(results, file));
  assert.ok(machine.node === process.version && machine.commit.length > 6);
  assert.deepEqual(
    suites.map(({ name }) => name),
    ['decision'],
  );
  assert.ok(names.includes(file.replace('.json', '-decision.svg')));
  assert.match(printed.join('\n'), /\| accepted \| 0\.\d+ \|/);
});
