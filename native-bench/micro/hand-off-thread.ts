// The far end of the hand-off suite in a bare thread: on a message port, or on two words of shared memory.

import { parentPort, workerData } from 'node:worker_threads';
import { must } from '../../src/core/assert.js';
import { type HandOffOptions, WORD } from './hand-off.js';
import type { Slabs } from './hand-off-piscina.js';

function servePort(): void {
  const port = must(parentPort, 'a port to the parent');
  port.on('message', (slabs: Slabs | null) => {
    if (slabs === null) port.close();
    else port.postMessage(slabs, [slabs.requests, slabs.answers]);
  });
}

function serveWords(shared: SharedArrayBuffer): void {
  const words = new Int32Array(shared);
  for (let answered = 0; ; ) {
    Atomics.wait(words, WORD.asked, answered);
    const asked = Atomics.load(words, WORD.asked);
    if (asked < 0) return;
    answered = asked;
    Atomics.store(words, WORD.answered, answered);
    Atomics.notify(words, WORD.answered);
  }
}

const shared = workerData as HandOffOptions;
if (shared === null) servePort();
else serveWords(shared);
