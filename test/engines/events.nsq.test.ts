// Events of a real node over a real nsqd, as the example consumer sees them: each change of each investment once, while
// nsqd, the node and the consumer die and come back.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { until } from '../../src/engines/bus-contract-rig.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import {
  adminToken,
  createRound,
  type EdgeProcess,
  importInvestors,
  investorToken,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { startNsqd } from '../harness/nsq.js';
import { freePorts } from '../harness/ports.js';

const CONSUMER = fileURLToPath(new URL('../../../examples/events-consumer.mjs', import.meta.url));
const DEADLINE_MS = 60_000;
const AMOUNT = 10_000;

interface Line {
  readonly type: string;
  readonly investment: string;
}

/** The example, as its own process; what it prints is collected over all its lives. */
class Consumer {
  readonly lines: Line[] = [];
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(t: TestContext, nsqd: string) {
    const directory = mkdtempSync(path.join(tmpdir(), 'openbell-consumer-'));
    t.after(async () => {
      await this.stop();
      rmSync(directory, { recursive: true });
    });
    this.#args = [CONSUMER, '--nsqd', nsqd, '--channel', 'feed', '--seen', path.join(directory, 'ids')];
  }

  start(): void {
    const child = spawn(process.execPath, this.#args, { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('close', resolve));
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.lines.push(JSON.parse(line) as Line);
    });
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  /** Every change that it has told, as `investment state`. */
  changes(): string[] {
    return this.lines.map(
      ({ type, investment }) => `${investment} ${type.replace('openbell.investment.', '')}`,
    );
  }
}

async function invest(edge: EdgeProcess, investor: string): Promise<void> {
  const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd/investments`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${investorToken(investor)}`,
      'content-type': 'application/json',
      'idempotency-key': `key-${investor}`,
    },
    body: JSON.stringify({ amount: AMOUNT, currency: 'GBP' }),
  });
  await answer.text();
  assert.ok([201, 403, 409, 422].includes(answer.status), `${investor}: ${answer.status}`);
}

/** Whether the edge has heard of this investor's balance. */
async function isKnown(edge: EdgeProcess, investor: string): Promise<boolean> {
  const answer = await fetch(`${edge.adminUrl}/admin/v1/investors/${investor}`, {
    headers: { authorization: `Bearer ${adminToken()}` },
  });
  await answer.text();
  return answer.status === 200;
}

/** What must have been told of the investors, by the node's own word; null while something waits for its outcome. */
async function expected(edge: EdgeProcess, investors: readonly string[]): Promise<string[] | null> {
  const all: string[] = [];
  for (const investor of investors) {
    const answer = await fetch(`${edge.publicUrl}/v1/rounds/crowd/investments`, {
      headers: { authorization: `Bearer ${investorToken(investor)}` },
    });
    const { investments } = (await answer.json()) as { investments: { id: string; state: string }[] };
    assert.equal(investments.length, 1, investor);
    for (const { id, state } of investments) {
      if (state === 'accepted') return null;
      if (state !== 'rejected') all.push(`${id} accepted`);
      all.push(`${id} ${state}`);
    }
  }
  return all.toSorted();
}

/** Resolves when the consumer has told everything about them. */
async function told(edge: EdgeProcess, consumer: Consumer, investors: readonly string[]): Promise<string[]> {
  let wanted: string[] | null = null;
  const isSettled = async (): Promise<boolean> => {
    wanted = await expected(edge, investors);
    return wanted !== null;
  };
  await until(isSettled, 'every outcome', DEADLINE_MS);
  const all = wanted ?? [];
  const isComplete = (): boolean => {
    const seen = new Set(consumer.changes());
    return all.every((change) => seen.has(change));
  };
  await until(isComplete, 'all changes', DEADLINE_MS);
  return all;
}

test('the example consumer sees each change once, whoever dies meanwhile', {
  skip: skipWithoutEngine('nsqd'),
}, async (t) => {
  const nsqd = await startNsqd();
  t.after(() => nsqd.remove());
  const { dataDir, remove } = await temporaryDataDir();
  t.after(remove);
  const env = { OPENBELL_NSQD: nsqd.tcpAddress };
  const ports = await freePorts(2);
  const ledger = await startLedgerProcess({ dataDir, env });
  t.after(() => ledger.kill());
  let edge = await startEdgeProcess({ dataDir, env, ports });
  t.after(() => edge.kill());
  await createRound(edge, { id: 'crowd', cap: 40 * AMOUNT });
  const names = (part: string): string[] => Array.from({ length: 15 }, (_, i) => `${part}-${i}`);
  const [first, second, third] = [names('first'), names('second'), names('third')] as const;
  const investors = [...first, ...second, ...third];
  // Some are not eligible; of some the edge believes that they have more money than the ledger knows of.
  const line = (investor: string, at: number, balance: number) => ({
    investor,
    balance,
    eligible: at % 5 !== 4,
  });
  await importInvestors(
    { ledger },
    investors.map((name, at) => line(name, at, at % 7 === 3 ? 1 : 2 * AMOUNT)),
  );
  // The ledger tells the edge of every balance; only what the edge is told after that stays as wrong as a cache can be.
  for (const name of investors) await until(() => isKnown(edge, name), `the balance of ${name}`, DEADLINE_MS);
  await importInvestors(
    { edge },
    investors.map((name, at) => line(name, at, 2 * AMOUNT)),
  );

  const consumer = new Consumer(t, nsqd.tcpAddress);
  consumer.start();
  for (const name of first) await invest(edge, name);
  await told(edge, consumer, first);

  // Published, not read, and lost with nsqd: the node publishes them again.
  await consumer.stop();
  for (const name of second) await invest(edge, name);
  const isPublished = async (): Promise<boolean> => {
    const text = await (await fetch(`${edge.adminUrl}/metrics`)).text();
    return (
      text.includes('\nopenbell_outbox_investments 0\n') && text.includes('\nopenbell_events_lag_rows 0\n')
    );
  };
  await until(isPublished, 'all of it published', DEADLINE_MS);
  await nsqd.kill();
  await nsqd.restart();
  consumer.start();
  await told(edge, consumer, [...first, ...second]);

  await consumer.stop();
  const before = consumer.lines.length;
  for (const name of third) await invest(edge, name);
  await edge.kill();
  edge = await startEdgeProcess({ dataDir, env, ports });
  consumer.start();
  const all = await told(edge, consumer, investors);

  assert.ok(consumer.lines.length > before);
  assert.deepEqual(consumer.changes().toSorted(), all, 'each change once, and nothing else');
  for (const state of ['accepted', 'rejected', 'settled', 'declined'])
    assert.ok(
      all.some((change) => change.endsWith(state)),
      state,
    );
  const metrics = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  assert.match(metrics, /^openbell_events_published_total [1-9]/m);
  const { code } = await edge.stop();
  assert.equal(code, 0);
});
