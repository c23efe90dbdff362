// The embedded link under the contract of a bus, through a proxy that can cut it and hold it up.

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { LINK_MESSAGE_BYTES_MAX, LINK_QUEUE_MESSAGES_MAX, LINK_WINDOW_MESSAGES } from '../core/limits.js';
import { assertBusContract } from './bus-contract.js';
import type { BusRig } from './bus-contract-rig.js';
import { connection, dial, listen } from './link-bench.js';

/** Passes bytes between two unix sockets, until it is told not to. */
class UnixProxy {
  readonly #from: string;
  readonly #to: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  constructor(from: string, to: string) {
    this.#from = from;
    this.#to = to;
  }

  async listen(): Promise<void> {
    this.#server = createServer((near) => {
      const far = connect(this.#to);
      near.pipe(far);
      far.pipe(near);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.#from, resolve));
  }

  async cut(): Promise<void> {
    const server = this.#server;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  pause(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }
}

async function make(t: TestContext): Promise<BusRig> {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-link-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [near, far] = [join(directory, 'near.sock'), join(directory, 'far.sock')];
  const heartbeatMs = 50;
  const subscriber = await listen(t, far, { heartbeatMs });
  const proxy = new UnixProxy(near, far);
  await proxy.listen();
  t.after(() => proxy.cut());
  const publisher = dial(t, near, { heartbeatMs });
  await Promise.all([connection(publisher, true), connection(subscriber, true)]);
  return {
    publisher,
    subscriber,
    cut: () => proxy.cut(),
    mend: () => proxy.listen(),
    pause: async () => proxy.pause(),
    // Both sides hang up on the silent connection by themselves; the next one is a new one.
    resume: async () => undefined,
  };
}

assertBusContract(
  {
    name: 'the embedded link',
    isOrdered: true,
    isBroker: false,
    tooManyMessages: LINK_QUEUE_MESSAGES_MAX + LINK_WINDOW_MESSAGES,
    tooLargeBytes: LINK_MESSAGE_BYTES_MAX + 1,
    skip: false,
  },
  make,
);
