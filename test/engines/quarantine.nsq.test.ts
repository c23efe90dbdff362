// A ledger that dies in the middle of one investment, every time, behind a real nsqd: the others are settled, that one is
// put aside and stays in sight, and is settled once when the cause is mended.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TOPICS } from '../../src/core/messages.js';
import type { EdgeAuditReport } from '../../src/edge/audit-report.js';
import { type DeadLetter, deadTopic } from '../../src/engines/dead-letters.js';
import { logger } from '../../src/engines/nsq/nsq-bench.js';
import { NsqBus } from '../../src/engines/nsq/nsq-bus.js';
import { invest } from '../contract/contract-client.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { httpBody } from '../harness/http-call.js';
import {
  adminCall,
  createRound,
  importInvestors,
  type LedgerProcess,
  runCommand,
  startEdgeProcess,
  TEST_JWT_SECRET,
  temporaryDataDir,
  waitReady,
  watch,
} from '../harness/node-process.js';
import { startNsqd } from '../harness/nsq.js';
import { freePorts } from '../harness/ports.js';
import { until } from './until.js';

const INVESTORS = ['alice', 'bob', 'mallory', 'carol', 'dave'];
const BALANCE = 10_000;
const AMOUNT = 1_000;

/** The ledger as it is, but that settling anything of mallory kills it, until a file says that this is mended. */
const CHILD = `
  import { existsSync } from 'node:fs';
  import { join } from 'node:path';
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))};
  import { ok } from ${JSON.stringify(new URL('../../src/core/result.js', import.meta.url).href)};
  import { openLmdbLedgerStore } from ${JSON.stringify(new URL('../../src/ledger/lmdb-store.js', import.meta.url).href)};
  import { startLedger } from ${JSON.stringify(new URL('../../src/ledger/main.js', import.meta.url).href)};
  const [dataDir, port, nsqd, secret] = process.argv.slice(1);
  const openStore = async () => {
    let isBad = false;
    const clock = () => (isBad ? process.kill(process.pid, 'SIGKILL') : Date.now());
    const store = openLmdbLedgerStore(join(dataDir, 'ledger'), clock).value;
    const settle = store.settle.bind(store);
    store.settle = (group) => {
      isBad = !existsSync(join(dataDir, 'mended')) && group.some(({ investor }) => investor === 'mallory');
      return settle(group);
    };
    return ok(store);
  };
  const options = { dataDir, adminHost: '127.0.0.1', ledgerPort: Number(port), ratePerS: 0, token: { secret } };
  const nsq = { nsqd: [nsqd], nsqlookupd: [], tls: null, authSecret: null };
  const ledger = await startLedger({ ...options, nsq, openStore }, pino({ level: 'silent' }));
  if (!ledger.ok) { console.error(ledger.error.message); process.exit(1); }
  process.once('SIGTERM', () => ledger.value.stop().then(() => process.exit(0)));
`;

test('an investment that the ledger dies over is cut off, and nothing else is', {
  skip: skipWithoutEngine('nsqd'),
}, async (t) => {
  const nsqd = await startNsqd();
  t.after(() => nsqd.remove());
  const { dataDir, remove } = await temporaryDataDir();
  t.after(remove);
  const [ledgerPort] = (await freePorts(1)) as [number];
  const ledgerUrl = `http://127.0.0.1:${ledgerPort}`;
  const env = {
    OPENBELL_NSQD: nsqd.tcpAddress,
    OPENBELL_NSQD_HTTP: nsqd.httpUrl,
    OPENBELL_LEDGER_URL: ledgerUrl,
  };
  const startLedger = (): LedgerProcess => {
    const args = [dataDir, `${ledgerPort}`, nsqd.tcpAddress, TEST_JWT_SECRET];
    const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { ...watch(child), ledgerUrl };
  };
  const edge = await startEdgeProcess({ dataDir, env });
  let ledger = startLedger();
  t.after(() => Promise.all([edge.kill(), ledger.kill()]));
  await waitReady(ledger, ledgerUrl);
  await createRound(edge, { id: 'crowd', cap: 1_000_000 });
  await importInvestors(
    { edge, ledger },
    INVESTORS.map((investor) => ({ investor, balance: BALANCE })),
  );
  await ledger.stop();

  const command = async (...args: string[]): Promise<{ code: number | null; stdout: string }> =>
    runCommand([...args, '--admin-url', edge.adminUrl], { dataDir, env });
  const audit = async (): Promise<EdgeAuditReport> =>
    JSON.parse((await command('audit', '--json')).stdout) as EdgeAuditReport;
  const ids = new Map<string, string>();
  for (const investor of INVESTORS) {
    const answer = await invest(edge.publicUrl, {
      investor,
      key: 'first',
      body: { amount: AMOUNT, currency: 'GBP' },
    });
    assert.equal(answer.status, 201);
    ids.set(investor, answer.body['id'] as string);
  }
  const mallory = ids.get('mallory') ?? '';

  // A supervisor that starts it again; and somebody who does not want to wait until nsqd gives the messages out again.
  let deaths = 0;
  const settled = async (): Promise<number> => (await audit()).totals.settled;
  for (let isAlive = false; !isAlive; ) {
    ledger = startLedger();
    const ready = await waitReady(ledger, ledgerUrl).then(
      () => true,
      () => false,
    );
    if (ready) await command('replay');
    await until('it dies, or has settled the others', async () => {
      isAlive =
        !ledger.hasExited() && (await settled()) === INVESTORS.length - 1 && (await deadLetters()) > 0;
      return isAlive || ledger.hasExited();
    });
    if (!isAlive) deaths++;
    assert.ok(deaths < 10, 'it comes to an end');
  }
  async function deadLetters(): Promise<number> {
    const stats = JSON.parse(await httpBody(`${nsqd.httpUrl}/stats?format=json`)) as {
      topics: { topic_name: string; depth: number }[];
    };
    return stats.topics.find(({ topic_name }) => topic_name === deadTopic(TOPICS.investments))?.depth ?? 0;
  }
  t.diagnostic(`${deaths} deaths`);
  assert.ok(deaths >= 3 && deaths <= 5, `${deaths} deaths`);

  // In sight: audit, metric, doctor; and it stays so after another start and another replay, without another dead letter.
  assert.equal((await ledger.stop()).code, 0);
  ledger = startLedger();
  await waitReady(ledger, ledgerUrl);
  await command('replay');
  await until('it is put aside again', async () => {
    const text = await (await fetch(`${ledgerUrl}/metrics`)).text();
    return /^openbell_ledger_investments_total\{outcome="quarantined"\} [1-9]/m.test(text);
  });
  assert.equal(await deadLetters(), 1);
  const report = await audit();
  assert.deepEqual(
    report.differences.map(({ kind, investment }) => [kind, investment]),
    [
      ['nsq-dead-letters', undefined],
      ['ledger-quarantined', mallory],
    ],
  );
  assert.equal(report.totals.waiting, 1);
  assert.match(
    await (await fetch(`${ledgerUrl}/metrics`)).text(),
    /^openbell_ledger_quarantined_investments 1$/m,
  );
  const doctor = await runCommand(['doctor'], { dataDir, env });
  assert.match(doctor.stdout, /warn {2}quarantine {6}the ledger has died over 1 investments/);

  // The letter says why, and has the whole of it.
  const bus = new NsqBus({
    settings: { nsqd: [nsqd.tcpAddress], nsqlookupd: [], tls: null, authSecret: null },
    channel: 'reader',
    logger,
  });
  t.after(() => bus.close());
  const letter = await new Promise<DeadLetter>((resolve) => {
    bus.subscribe(
      deadTopic(TOPICS.investments),
      (message) => {
        resolve(JSON.parse(Buffer.from(message.body).toString()) as DeadLetter);
        message.finish();
      },
      { maxInFlight: 1 },
    );
  });
  assert.deepEqual([letter.topic, letter.reason], [TOPICS.investments, 'attempts']);
  assert.match(
    letter.detail,
    new RegExp(`^${mallory}: the ledger died 3 times while it settled this investment alone$`),
  );
  assert.equal(JSON.parse(Buffer.from(letter.body, 'base64').toString()).investor, 'mallory');

  // Mended, let out, and settled: once.
  writeFileSync(join(dataDir, 'mended'), '');
  assert.match(
    (await command('replay', '--quarantined', '--dry-run')).stdout,
    new RegExp(`^${mallory} is in quarantine$`, 'm'),
  );
  const released = await command('replay', '--quarantined');
  assert.match(released.stdout, new RegExp(`^${mallory} was let out of quarantine$`, 'm'));
  await until('all is well', async () => (await command('audit')).code === 0);
  for (const investor of INVESTORS) {
    const account = (await adminCall(`${ledgerUrl}/admin/v1/accounts/${investor}`, 'GET')) as {
      balance: number;
    };
    assert.equal(account.balance, BALANCE - AMOUNT, investor);
  }
  const { totals } = await audit();
  assert.deepEqual([totals.accepted, totals.settled], [INVESTORS.length, INVESTORS.length]);
  assert.ok(!ledger.hasExited());
});
