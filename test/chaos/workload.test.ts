// The chaos clients against a double of the node: that they see what they are there to see.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/rush/address.js';
import { seededRandom } from '../../src/rush/random.js';
import { type StubOptions, startStubNode } from '../harness/stub-node.js';
import { VerdictBook } from './verdict-book.js';
import { Workload } from './workload.js';

const INVESTORS = Array.from({ length: 200 }, (_, i) => `chaos-${i}`);

/** Lets the clients work until they have asked for this many keys. */
async function work(stub: StubOptions, keys: number): Promise<VerdictBook> {
  const node = await startStubNode(stub);
  const address = parseAddress(node.url);
  assert(address.ok);
  const lines = INVESTORS.map((investor) => JSON.stringify({ investor, balance: 1_000_000 })).join('\n');
  await fetch(`${node.url}/admin/v1/investors`, { method: 'POST', body: lines });
  const book = new VerdictBook();
  const clients = { httpClients: 4, gateways: 2, inFlightPerGateway: 4, ratePerS: 20_000 };
  const amounts = { amountMin: 1_000, amountMax: 20_000 };
  const target = { address: address.value, rounds: ['crowd'], investors: INVESTORS };
  const workload = new Workload({ ...target, ...amounts, ...clients, random: seededRandom(5) }, book);
  workload.start();
  while (book.entries.length < keys) await new Promise(setImmediate);
  await workload.stop();
  node.close();
  return book;
}

test('against a node that keeps its promises the book has nothing to say', async () => {
  const book = await work({ cap: 500_000 }, 1_000);
  assert.deepEqual([...book.contradictions, ...book.surprises], []);
  assert.ok(book.accepted().length > 20);
  assert.ok(book.replays > 50, 'old keys are asked for again');
});

test('lost answers are asked for again, and the replay is no contradiction', async () => {
  const book = await work({ cap: 500_000, loseEvery: 20 }, 1_000);
  assert.deepEqual([...book.contradictions, ...book.surprises], []);
  assert.ok(book.unknowns > 10);
  const open = book.entries.filter((entry) => entry.verdict === undefined).length;
  assert.ok(open < 100, `${open} keys without a verdict: those of who walked away, and of the end`);
});

test('a second verdict for a key, and one that is not marked as replayed, are seen', async () => {
  for (const fault of ['two-verdicts', 'not-replayed'] as const) {
    const book = await work({ cap: 500_000_000, fault }, 500);
    assert.ok(book.contradictions.length > 0, fault);
  }
});
