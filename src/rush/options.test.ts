// The settings of a run from its arguments: extents, addresses, and each mistake by its name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../core/config.js';
import { type RushArguments, type RushOptions, rushOptions } from './options.js';

function config(env: Record<string, string> = {}) {
  const loaded = loadConfig({ env, cores: 1 });
  assert(loaded.ok);
  return loaded.value;
}

function parsed(args: RushArguments, env: Record<string, string> = {}): RushOptions {
  const options = rushOptions(args, config(env));
  assert(options.ok, JSON.stringify(options));
  return options.value;
}

test('the number of attempts follows from rate and duration, and either may cut it short', () => {
  const extent = (args: RushArguments): (number | boolean)[] => {
    const { attempts, durationS } = parsed(args);
    return [attempts, durationS];
  };
  assert.deepEqual(extent({ rate: '1000', duration: '300' }), [300_000, 300]);
  assert.deepEqual(extent({ rate: '1000', duration: '300', attempts: '500' }), [500, 0.5]);
  assert.deepEqual(extent({ rate: '10', attempts: '500' }), [500, 50]);
  assert.deepEqual(extent({ rate: '0', attempts: '500' }), [500, Number.POSITIVE_INFINITY]);
  assert.equal(parsed({ rate: '0' }).durationS, 30);
});

test('addresses come from the configuration unless they are given', () => {
  assert.equal(parsed({}, { OPENBELL_PORT: '9000' }).address.origin, 'http://127.0.0.1:9000');
  const { address, adminUrl } = parsed({ url: 'http://[::1]:81/', 'admin-url': 'http://x:1' });
  assert.deepEqual([address.host, address.port, adminUrl], ['::1', 81, 'http://x:1']);
});

test('each wrong argument is named, all in one go', () => {
  const wrong = rushOptions(
    {
      rate: '-1',
      curve: 'round',
      duplicates: '101',
      url: 'https://x',
      round: 'Not A Round',
      connections: '0',
    },
    config(),
  );
  assert(!wrong.ok);
  assert.equal(wrong.error.length, 6);
  for (const name of ['--rate', '--curve', '--duplicates', 'https://x', 'Not A Round', '--connections']) {
    assert.ok(
      wrong.error.some((problem) => problem.includes(name)),
      name,
    );
  }
});
