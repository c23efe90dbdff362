// A rush through a real nsqd that is killed with all that it holds in memory, that stands still, and next to a ledger that is
// killed too: nobody is refused or late because of it, the audit agrees in the end, and every accepted investment
// has exactly one outcome.

import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { forEachRow } from '../../src/core/row-codec.js';
import { until } from '../../src/engines/bus-contract-rig.js';
import { walkJournal } from '../../src/workers/journal-walk.js';
import { metric } from '../harness/edge-metric.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import {
  createRound,
  type EdgeProcess,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { type Nsqd, startNsqd } from '../harness/nsq.js';
import { freePorts } from '../harness/ports.js';

const DEADLINE_MS = 150_000;
const POLL_MS = 50;
const INVESTORS = 2_000;
const ATTEMPTS = 3_000;
const RATE_PER_S = 400;
/** Slow enough that there is always something in NSQ and in the ledger's hands. */
const LEDGER_RATE = 250;
/** Far more than nsqd ever holds here, so that all of it is in its memory, and lost. */
const MEMORY_QUEUE = 1_000_000;

/** Waits until the edge says so. */
async function reached(edge: EdgeProcess, name: string, isThere: (value: number) => boolean): Promise<void> {
  await until(async () => isThere(await metric(edge, name)), name, DEADLINE_MS, POLL_MS);
}

interface World {
  readonly nsqd: Nsqd;
  readonly edge: EdgeProcess;
  ledger: LedgerProcess;
  readonly dataDir: string;
  readonly env: Readonly<Record<string, string>>;
  restartLedger(): Promise<void>;
}

async function start(t: TestContext): Promise<World> {
  const nsqd = await startNsqd({ memQueueSize: MEMORY_QUEUE });
  t.after(() => nsqd.remove());
  const { dataDir, remove } = await temporaryDataDir();
  t.after(remove);
  const [ledgerPort] = (await freePorts(1)) as [number];
  const env = {
    OPENBELL_NSQD: nsqd.tcpAddress,
    OPENBELL_LEDGER_RATE: `${LEDGER_RATE}`,
    OPENBELL_LEDGER_URL: `http://127.0.0.1:${ledgerPort}`,
  };
  const startLedger = (): Promise<LedgerProcess> => startLedgerProcess({ dataDir, env, ports: [ledgerPort] });
  const ledger = await startLedger();
  const edge = await startEdgeProcess({ dataDir, env });
  const world: World = {
    nsqd,
    edge,
    ledger,
    dataDir,
    env,
    restartLedger: async () => {
      await world.ledger.kill();
      world.ledger = await startLedger();
    },
  };
  t.after(() => Promise.all([edge.kill(), world.ledger.kill()]));
  await createRound(edge, { id: 'crowd', cap: 1_000_000_000 });
  return world;
}

/** Rows of the journal: how many outcomes each accepted investment has. */
function outcomesByInvestment(dataDir: string): ReadonlyMap<number, number> {
  const outcomes = new Map<number, number>();
  const walk = walkJournal(path.join(dataDir, 'edge/journal'), Number.POSITIVE_INFINITY);
  let step = walk.next();
  while (!step.done) {
    const { header, payload } = step.value;
    const read = forEachRow(payload, header.firstSequence, header.count, (row) => {
      if (row.kind === 'verdict' && row.verdict === 'accepted') outcomes.set(row.sequence, 0);
      if (row.kind === 'outcome')
        outcomes.set(row.investment, (outcomes.get(row.investment) ?? Number.NaN) + 1);
    });
    assert.ok(read.ok);
    step = walk.next();
  }
  assert.ok(step.value.ok);
  return outcomes;
}

test('a rush while nsqd is killed with its memory, stands still, and the ledger is killed', {
  skip: skipWithoutEngine('nsqd'),
}, async (t) => {
  const world = await start(t);
  const { nsqd, edge, dataDir, env } = world;
  const rush = runCommand(
    [
      'rush',
      ...['--url', edge.publicUrl, '--admin-url', edge.adminUrl, '--ledger-url', world.ledger.ledgerUrl],
      ...['--rate', `${RATE_PER_S}`, '--attempts', `${ATTEMPTS}`, '--investors', `${INVESTORS}`],
      ...['--connections', '16', '--duplicates', '5', '--poor', '10', '--seed', '7', '--json'],
    ],
    { dataDir, env },
  );
  const sequence = 'openbell_journal_sequence';
  await reached(edge, sequence, (rows) => rows > 300);
  await nsqd.kill();
  const atKill = await metric(edge, sequence);
  await reached(edge, sequence, (rows) => rows > atKill + 200);
  assert.equal(await metric(edge, 'openbell_bus_connected'), 0, 'verdicts went on without nsqd');
  await nsqd.restart();

  await reached(edge, sequence, (rows) => rows > atKill + 600);
  await world.restartLedger();
  await nsqd.kill();
  await nsqd.restart();

  await reached(edge, 'openbell_bus_connected', (connected) => connected === 1);
  await nsqd.pause();
  const atPause = await metric(edge, sequence);
  await reached(edge, sequence, (rows) => rows > atPause + 100);
  nsqd.resume();

  const { code, stdout, stderr } = await rush;
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  await reached(edge, 'openbell_outbox_investments', (open) => open === 0);
  const audit = await runCommand(['audit', '--admin-url', edge.adminUrl], { dataDir, env });
  assert.equal(audit.code, 0, `${audit.stdout}\n${audit.stderr}`);
  const metrics = await (await fetch(`${edge.adminUrl}/metrics`)).text();
  assert.doesNotMatch(metrics, /responses_total\{status="5/, 'nobody was turned away');
  assert.equal(await metric(edge, 'openbell_dead_letters_lost_total'), 0);
  const republished = await metric(edge, 'openbell_outbox_republished_total');
  assert.ok(republished > 0, 'something was lost, or the test has shown nothing');

  assert.equal((await edge.stop()).code, 0);
  assert.equal((await world.ledger.stop()).code, 0);
  const outcomes = outcomesByInvestment(dataDir);
  assert.ok(outcomes.size > INVESTORS / 2, `${outcomes.size} are accepted`);
  assert.deepEqual(
    [...outcomes].filter(([, count]) => count !== 1),
    [],
  );
  t.diagnostic(`${outcomes.size} accepted, ${republished} published again`);
});
