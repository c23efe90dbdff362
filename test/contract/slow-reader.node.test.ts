// A client that asks and never reads: its connection ends before its answers fill the node's memory, and others are served.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import {
  createRound,
  type EdgeProcess,
  startEdgeProcess,
  temporaryDataDir,
} from '../harness/node-process.js';

/** Far more answers than the buffers of a socket hold; without a bound all of them would wait in the node. */
const ANSWER_BYTES = 64 * 1_048_576;
const BURST = 16;
const CLOSED_WITHIN_MS = 20_000;

describe('a client that never reads', () => {
  let edge: EdgeProcess;
  let remove: () => Promise<void>;

  before(async () => {
    const { dataDir, remove: removeDir } = await temporaryDataDir();
    remove = removeDir;
    edge = await startEdgeProcess({ dataDir });
    await createRound(edge, { id: 'crowd', cap: 100_000_000 });
  });

  after(async () => {
    await edge?.stop();
    await remove?.();
  });

  async function othersAreServed(): Promise<void> {
    const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd`);
    assert.equal(answer.status, 200);
    await answer.arrayBuffer();
  }

  for (const [line, answerBytes] of [
    ['GET /openapi.json', 40_000],
    ['GET /v1/rounds/crowd', 300],
    ['GET /nowhere', 200],
  ] as const) {
    test(`${line}: closed, and nobody else is`, { timeout: 2 * CLOSED_WITHIN_MS }, async () => {
      const socket = connect({ port: edge.publicPort, host: '127.0.0.1', noDelay: true });
      await once(socket, 'connect');
      socket.pause();
      let ended = false;
      socket.on('error', () => undefined);
      socket.on('close', () => {
        ended = true;
      });
      const one = `${line} HTTP/1.1\r\nHost: x\r\nX-Fill: \r\n\r\n`;
      // Requests of one length, whole ones a write: a request line in two reads would be answered 505, and closed.
      const requests = (count: number): Buffer =>
        Buffer.from(one.replace('Fill: ', `Fill: ${'x'.repeat(512 - one.length)}`).repeat(count));
      const many = requests(BURST);
      const deadline = performance.now() + CLOSED_WITHIN_MS;
      let asked = 0;
      while (!ended && performance.now() < deadline) {
        // When enough have been asked for, one more now and then finds out that the connection is no more.
        const enough = asked * answerBytes > ANSWER_BYTES;
        if (enough) await othersAreServed();
        await new Promise<void>((resolve) => socket.write(enough ? requests(1) : many, () => resolve()));
        asked += enough ? 1 : BURST;
      }
      assert.ok(ended, `${asked} requests were taken, about ${asked * answerBytes} bytes of answers`);
      await othersAreServed();
      socket.destroy();
    });
  }
});
