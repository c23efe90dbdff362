// What a yes rests on: no 201 leaves before the journal's fdatasync has returned, and a failed one ends admission.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Address, parseAddress } from '../../src/rush/address.js';
import { type Answer, readAnswer } from '../../src/rush/answer.js';
import { HttpCaller } from '../../src/rush/http-caller.js';
import { investmentRequest } from '../../src/rush/http-lane.js';
import { WsLane } from '../../src/rush/ws-lane.js';
import {
  createRound,
  type EdgeProcess,
  importInvestors,
  investorToken,
  startEdgeProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { straceMissing, straceWrapper } from './strace.js';

const DELAY_MS = 300;
/** The thread that fails has made this many syncs; small enough to come soon, larger than what a start needs. */
const FAIL_FROM = 12;
const SYNCS_MAX = 200;
const EXIT_TIMEOUT_MS = 15_000;
const PATIENCE_MS = 10_000;
const START_TIMEOUT_MS = 60_000;
const ROUND = { id: 'crowd', cap: 1_000_000_000 };
const INVESTORS = Array.from({ length: 300 }, (_, i) => `sync-${i}`);
const skip = straceMissing();

interface Client {
  readonly address: Address;
  readonly caller: HttpCaller;
  invest(investor: string): Promise<Answer>;
  /** Asks again until there is a verdict. */
  ask(investor: string): Promise<Answer>;
}

function client(edge: EdgeProcess): Client {
  const address = parseAddress(edge.publicUrl);
  if (!address.ok) throw new Error(address.error);
  const caller = new HttpCaller(address.value, 32);
  const request = (investor: string): string =>
    investmentRequest(
      address.value,
      { round: ROUND.id, currency: 'GBP', format: 'json' },
      { token: investorToken(investor), key: `key-${investor}`, amount: 5_000 },
    );
  return {
    address: address.value,
    caller,
    async invest(investor) {
      const reply = await caller.once(request(investor));
      return readAnswer(reply.status, reply.replayed, reply.body);
    },
    async ask(investor) {
      const reply = await caller.ask(request(investor), PATIENCE_MS);
      return readAnswer(reply.status, reply.replayed, reply.body);
    },
  };
}

/** A verdict over a WebSocket. */
function investOverWs(address: Address, investor: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = {
      token: () => investorToken(investor),
      key: () => `key-${investor}`,
      amount: () => 5_000,
    };
    const options = { round: ROUND.id, currency: 'GBP', format: 'json', inFlightMax: 1 } as const;
    let sent = false;
    const lane: WsLane = new WsLane(address, options, outgoing, {
      onRoom: () => {
        if (!sent) lane.send(0);
        sent = true;
      },
      onAnswer: (_lane, _attempt, answer) => {
        lane.close();
        resolve(answer);
      },
      onLost: (_lane, _attempts, reason) => reject(new Error(reason)),
    });
  });
}

test('a delayed fdatasync delays every 201 by it, over HTTP and WebSocket, alone and in a batch', {
  skip,
}, async () => {
  const { dataDir, remove } = await temporaryDataDir();
  const traceFile = join(dataDir, 'strace.out');
  const wrapper = straceWrapper(dataDir, traceFile, `delay_enter=${DELAY_MS * 1_000}`);
  const edge = await startEdgeProcess({ dataDir, wrapper, readyTimeoutMs: START_TIMEOUT_MS });
  try {
    await createRound(edge, ROUND);
    await importInvestors(
      { edge },
      INVESTORS.map((investor) => ({ investor, balance: 10_000 })),
    );
    const { address, caller, invest } = client(edge);
    const timed = async (work: () => Promise<Answer>): Promise<void> => {
      const startMs = performance.now();
      const answer = await work();
      const tookMs = performance.now() - startMs;
      assert.equal(answer.code, 'accepted', JSON.stringify(answer));
      assert.ok(tookMs >= DELAY_MS, `a 201 left after ${tookMs} ms, before its fdatasync returned`);
    };
    for (let i = 0; i < 3; i++) await timed(() => invest(INVESTORS[i] as string));
    await Promise.all(INVESTORS.slice(10, 42).map((investor) => timed(() => invest(investor))));
    await timed(() => investOverWs(address, 'sync-50'));
    caller.close();
  } finally {
    await edge.kill();
  }
  const trace = await readFile(traceFile, 'utf8');
  const delayed = trace.split('\n').filter((line) => line.includes('(DELAYED)')).length;
  assert.ok(delayed >= 5, `strace delayed ${delayed} syncs`);
  await remove();
});

test('a failed fdatasync ends admission, and the restart tells the truth', { skip }, async () => {
  const { dataDir, remove } = await temporaryDataDir();
  const wrapper = straceWrapper(dataDir, join(dataDir, 'strace.out'), `error=EIO:when=${FAIL_FROM}+`);
  const edge = await startEdgeProcess({ dataDir, wrapper, readyTimeoutMs: START_TIMEOUT_MS });
  const seen = new Map<string, Answer>();
  const unknown: string[] = [];
  try {
    await createRound(edge, ROUND);
    await importInvestors(
      { edge },
      INVESTORS.map((investor) => ({ investor, balance: 10_000 })),
    );
    const { caller, invest } = client(edge);
    for (let i = 0; i < SYNCS_MAX && unknown.length === 0; i++) {
      const investor = INVESTORS[i] as string;
      const answer = await invest(investor);
      if (answer.code === 'accepted') seen.set(investor, answer);
      else {
        assert.deepEqual([answer.status, answer.code], [503, 'not-durable']);
        unknown.push(investor);
      }
    }
    assert.equal(unknown.length, 1, `no sync failed in ${SYNCS_MAX}`);
    assert.ok(seen.size > 0);

    const after = await invest('sync-250');
    assert.ok(after.status === 503 || after.status === 0, 'nothing is admitted after it');
    unknown.push('sync-250');
    const ready = await fetch(`${edge.adminUrl}/readyz`).catch(() => undefined);
    if (ready !== undefined) assert.equal(ready.status, 503);
    caller.close();

    const timer = setTimeout(() => edge.signal('SIGKILL'), EXIT_TIMEOUT_MS);
    const exit = await edge.exited;
    clearTimeout(timer);
    assert.equal(exit.signal, null, `did not end by itself within ${EXIT_TIMEOUT_MS} ms`);
    assert.ok(exit.code !== null && exit.code !== 0, `exit code ${exit.code}`);
  } finally {
    await edge.kill();
  }
  await checkTruth(dataDir, seen, unknown);
  await remove();
});

async function checkTruth(
  dataDir: string,
  seen: Map<string, Answer>,
  unknown: readonly string[],
): Promise<void> {
  const edge = await startEdgeProcess({ dataDir });
  try {
    const { caller, ask } = client(edge);
    for (const [investor, before] of seen) {
      const path = `/v1/rounds/${ROUND.id}/investments/${before.id}`;
      const reply = await caller.ask(caller.getRequest(path, investorToken(investor)), PATIENCE_MS);
      assert.equal(reply.status, 200, `${investor} was told yes and is not there`);
      const again = await ask(investor);
      assert.deepEqual([again.code, again.id, again.replayed], ['accepted', before.id, true]);
    }
    for (const investor of unknown) {
      const first = await ask(investor);
      assert.equal(first.code, 'accepted', 'asked again, the truth or a first verdict');
      const second = await ask(investor);
      assert.deepEqual([second.code, second.id, second.replayed], ['accepted', first.id, true]);
    }
    const reply = await caller.ask(caller.getRequest(`/v1/rounds/${ROUND.id}`), PATIENCE_MS);
    const { investors } = reply.body as { investors: number };
    assert.equal(investors, seen.size + unknown.length, 'nothing is there that nobody asked for');
    caller.close();
  } finally {
    await edge.stop();
  }
}
