// NSQ under the contract of a bus: a real nsqd that is killed with what it holds in memory, and paused.

import type { TestContext } from 'node:test';
import { skipWithoutEngine } from '../../../test/harness/engine-files.js';
import { startNsqd } from '../../../test/harness/nsq.js';
import { NSQ_MESSAGE_BYTES_MAX, NSQ_QUEUE_MESSAGES_MAX } from '../../core/limits.js';
import { assertBusContract } from '../bus-contract.js';
import { type BusRig, until } from '../bus-contract-rig.js';
import { nsqBus } from './nsq-bench.js';

async function make(t: TestContext): Promise<BusRig> {
  const nsqd = await startNsqd();
  t.after(() => nsqd.remove());
  const publisher = nsqBus(t, [nsqd.tcpAddress]);
  const subscriber = nsqBus(t, [nsqd.tcpAddress]);
  await until(() => publisher.connected && subscriber.connected, 'connections');
  return {
    publisher,
    subscriber,
    cut: async () => void (await nsqd.kill()),
    mend: () => nsqd.restart(),
    pause: () => nsqd.pause(),
    resume: async () => nsqd.resume(),
  };
}

assertBusContract(
  {
    name: 'NSQ',
    isOrdered: false,
    isBroker: true,
    tooManyMessages: NSQ_QUEUE_MESSAGES_MAX,
    tooLargeBytes: NSQ_MESSAGE_BYTES_MAX + 1,
    skip: skipWithoutEngine('nsqd'),
  },
  make,
);
