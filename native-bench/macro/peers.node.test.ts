// The smallest size of the comparison with the peers, and the check that refuses a server which answers before it syncs.

import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { TEST_JWT_SECRET } from '../../test/harness/node-process.js';
import { skipWithout } from '../../test/harness/tools.js';
import { skipPeer } from '../peers/build-peers.js';
import { PEERS } from '../peers/peer-list.js';
import { peersMarkdown } from './peer-report.js';
import { measurePeers } from './peers.js';
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
  const { rows, blocks, missing } = await measurePeers({
    ...{ peers: built, connections: 8, rounds: 1, seconds: 1, perSecondMax: 40_000 },
    scratch: tmpdir(),
    log: () => undefined,
  });
  const names = ['openbell', ...built];
  assert.deepEqual(missing, []);
  assert.deepEqual(
    blocks.map(({ target }) => target),
    names,
  );
  assert.deepEqual(
    rows.map(({ target }) => target),
    names,
  );
  for (const { target, rateRatio, cpuRatio, serverCpuUs } of rows) {
    assert.ok(rateRatio.median > 0 && Number.isFinite(rateRatio.median), target);
    assert.ok(cpuRatio.median > 0 && Number.isFinite(cpuRatio.median) && serverCpuUs.median > 0, target);
  }
  assert.match(peersMarkdown(rows), /\| openbell edge/);
});
