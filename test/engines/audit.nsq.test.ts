// `openbell audit` of a node with a real nsqd: what is on the way, what nsqd has lost, what was put aside, and an nsqd that
// cannot be asked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOPICS } from '../../src/core/messages.js';
import type { EdgeAuditReport } from '../../src/edge/audit-report.js';
import { until } from '../../src/engines/bus-contract-rig.js';
import { deadTopic } from '../../src/engines/dead-letters.js';
import { invest } from '../contract/contract-client.js';
import { skipWithoutEngine } from '../harness/engine-files.js';
import { httpBody } from '../harness/http-call.js';
import {
  createRound,
  importInvestors,
  runCommand,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { startNsqd } from '../harness/nsq.js';
import { freePorts } from '../harness/ports.js';

const skip = skipWithoutEngine('nsqd');
const INVESTORS = ['alice', 'bob', 'carol'];

test('an audit sees what NSQ holds', { skip }, async (t) => {
  const nsqd = await startNsqd();
  t.after(() => nsqd.remove());
  const { dataDir, remove } = await temporaryDataDir();
  t.after(remove);
  const [ledgerPort, nobody] = (await freePorts(2)) as [number, number];
  const env = {
    OPENBELL_NSQD: nsqd.tcpAddress,
    OPENBELL_NSQD_HTTP: nsqd.httpUrl,
    OPENBELL_LEDGER_URL: `http://127.0.0.1:${ledgerPort}`,
  };
  const startLedger = () => startLedgerProcess({ dataDir, env, ports: [ledgerPort] });
  let ledger = await startLedger();
  let edge = await startEdgeProcess({ dataDir, env });
  t.after(() => Promise.all([edge.kill(), ledger.kill()]));
  await createRound(edge, { id: 'crowd', cap: 1_000_000 });
  const accounts = INVESTORS.map((investor) => ({ investor, balance: 10_000 }));
  await importInvestors({ edge, ledger }, accounts);
  const audit = async (): Promise<EdgeAuditReport & { code: number | null }> => {
    const { code, stdout } = await runCommand(['audit', '--json', '--admin-url', edge.adminUrl], {
      dataDir,
      env,
    });
    return { code, ...(JSON.parse(stdout) as EdgeAuditReport) };
  };
  const nsqCheck = ({ checks }: EdgeAuditReport) => checks.find(({ name }) => name === 'nsq');
  const post = (path: string, body = ''): Promise<string> => httpBody(`${nsqd.httpUrl}${path}`, { body });

  // Three published, and no ledger that takes them.
  await ledger.stop();
  const ids: string[] = [];
  for (const investor of INVESTORS) {
    const body = { amount: 1_000, currency: 'GBP' };
    const answer = await invest(edge.publicUrl, { investor, key: 'first', body });
    assert.equal(answer.status, 201);
    ids.push(answer.body['id'] as string);
  }
  let report = await audit();
  await until(
    async () => {
      report = await audit();
      return nsqCheck(report)?.detail.startsWith('3 investments') === true;
    },
    'all three are on the way',
    30_000,
    100,
  );
  assert.deepEqual([nsqCheck(report)?.ok, report.differences], [true, []], 'on the way is no difference');

  // An operator empties the channel: nobody else knows that they are lost.
  await post(`/channel/empty?topic=${TOPICS.investments}&channel=ledger`);
  report = await audit();
  assert.equal(report.code, 1);
  assert.deepEqual(
    report.differences.map(({ kind, investment }) => [kind, investment]),
    ids.map((id) => ['nsq-lost', id]),
  );
  const replayed = await runCommand(['replay', '--admin-url', edge.adminUrl], { dataDir, env });
  assert.match(replayed.stdout, /^3 not confirmed by the ledger, 3 published again$/m);
  ledger = await startLedger();
  await until(async () => (await audit()).code === 0, 'all is well again', 60_000, 200);
  report = await audit();
  assert.match(
    nsqCheck(report)?.detail ?? '',
    /^0 investments, 0 outcomes, 0 balances on the way at 1 nsqds$/,
  );

  // Nonsense goes to the dead letters, and stays a difference until somebody has dealt with it.
  await post(`/pub?topic=${TOPICS.investments}`, 'nonsense');
  await until(async () => (await audit()).code === 1, 'a dead letter', 30_000, 200);
  report = await audit();
  assert.deepEqual(
    report.differences.map(({ kind }) => kind),
    ['nsq-dead-letters'],
  );
  assert.match(report.differences[0]?.detail ?? '', /^openbell\.investments\.dead holds 1 messages/);
  await post(`/topic/empty?topic=${deadTopic(TOPICS.investments)}`);
  assert.equal((await audit()).code, 0);

  // One of which the depth cannot be read makes the answer incomplete, and that is told.
  assert.equal((await edge.stop()).code, 0);
  const away = `http://127.0.0.1:${nobody}`;
  edge = await startEdgeProcess({ dataDir, env: { ...env, OPENBELL_NSQD_HTTP: `${nsqd.httpUrl},${away}` } });
  report = await audit();
  assert.deepEqual([report.code, nsqCheck(report)?.ok, report.differenceCount], [1, false, 0]);
  assert.match(nsqCheck(report)?.detail ?? '', new RegExp(`nsqd ${away}: ECONNREFUSED`));
  assert.equal((await edge.stop()).code, 0);
  edge = await startEdgeProcess({ dataDir, env: { ...env, OPENBELL_NSQD_HTTP: '' } });
  report = await audit();
  assert.deepEqual([report.code, nsqCheck(report)?.ok], [0, true]);
  assert.match(nsqCheck(report)?.detail ?? '', /nobody says where its HTTP port is \(OPENBELL_NSQD_HTTP\)/);
});
