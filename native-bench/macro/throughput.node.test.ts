// The smallest size of the throughput comparison: that it runs, counts right, and would notice a wrong answer.

import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { skipWithout } from '../../test/harness/tools.js';
import { markdown } from './report.js';
import { measureThroughput } from './throughput.js';

test('one short round gives a ratio', { skip: skipWithout('wrk') }, async () => {
  const { summaries, blocks } = await measureThroughput({
    ...{ connections: [8], rounds: 1, seconds: 1, perSecondMax: 60_000 },
    scratch: tmpdir(),
    log: () => undefined,
  });
  const [summary] = summaries;
  assert.ok(summary !== undefined && summary.ratio.median > 0 && Number.isFinite(summary.ratio.median));
  assert.ok(summary.cpuRatio > 0 && summary.admissionsPerSync >= 1);
  assert.deepEqual(
    blocks['8']?.map(({ target }) => target),
    ['openbell', 'constant', 'constant', 'openbell'],
  );
  assert.match(markdown(summaries), /\*\*\d\.\d\d\*\*/);
});
