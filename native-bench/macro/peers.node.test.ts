// The smallest size of the comparison with the peers, and the check that refuses a server which answers before it syncs.

import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { TEST_JWT_SECRET } from '../../test/harness/node-process.js';
import { skipWithout } from '../../test/harness/tools.js';
import { skipPeer } from '../peers/build-peers.js';
import { PEERS } from '../peers/peer-list.js';
import { runRatios } from './bench.js';
import { BESIDE_PEERS } from './ratios/beside-peers.js';
import { SMOKE } from './ratios/ratio.js';
import { record } from './request-file.js';
import { checkSyncs, syncCheckMissing } from './sync-check.js';
import { startConstant } from './targets.js';

/** Those that this host has built; the others are named as skipped by the test of their contract. */
const built = PEERS.filter((peer) => skipPeer(peer) === false).map(({ name }) => name);

test('a server that answers without a sync is refused', { skip: syncCheckMissing() }, async () => {
  const constant = await startConstant({ head: '201 Created\r\nContent-Type: application/json', body: '{}' });
  try {
    const options = {
      file: '',
      records: 1,
      round: 'bench',
      amount: 1,
      label: 'sync',
      secret: TEST_JWT_SECRET,
    };
    const server = { name: 'constant', url: constant.url, pids: [constant.pid] };
    await assert.rejects(checkSyncs(server, [record(options, 0)]), /before a sync of 200 ms: not durable/);
  } finally {
    await constant.stop();
  }
});

test('one short round gives ratios', {
  skip:
    skipWithout('wrk') ||
    syncCheckMissing() ||
    (built.length === 0 && 'no peer is built: npm run build:peers'),
}, async () => {
  const { reached, failed, notes } = await runRatios({
    ...{ ratios: [BESIDE_PEERS], sizes: SMOKE, scratch: tmpdir() },
    ...{ syncChecks: 0, log: () => undefined },
  });
  // Peers that this host cannot build are named, and are no reason to lose the others.
  assert.deepEqual(Object.keys(failed), built.length === PEERS.length ? [] : ['r6']);
  assert.deepEqual(
    reached.map(({ what }) => what),
    built.flatMap((name) => [`rate ÷ that of ${name}`, `CPU of ${name} ÷ ours`]),
  );
  for (const { what, value } of reached) assert.ok(value > 0 && Number.isFinite(value), what);
  assert.match(notes.join('\n'), /\| openbell edge/);
});
