// Rounds through the real ports, with a real ledger: several at once, times, pauses, caps, holds, declines, restarts.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  adminCall,
  type EdgeProcess,
  importInvestors,
  type LedgerProcess,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freshKey, invest, read } from './contract-client.js';
import { LiveClient } from './live-client.js';

const GBP = (amount: number) => ({ amount, currency: 'GBP' });

describe('rounds', () => {
  let edge: EdgeProcess;
  let ledger: LedgerProcess;
  let dataDir: string;
  let remove: () => Promise<void>;
  const env = { OPENBELL_WORKERS: '3' };
  const rounds = () => `${edge.adminUrl}/admin/v1/rounds`;
  const json = (value: unknown) => ({ type: 'application/json', text: JSON.stringify(value) });

  async function create(id: string, more: Record<string, unknown> = {}): Promise<void> {
    const bounds = { cap: 1_000_000, minimum: 1_000, maximum: 100_000, opensAt: null, closesAt: null };
    await adminCall(
      rounds(),
      'POST',
      json({ id, name: id, currency: 'GBP', ...bounds, unknownBalance: 'refuse', ...more }),
    );
    if (more['opensAt'] === undefined) await act(id, 'open');
  }

  const act = (id: string, action: string) => adminCall(`${rounds()}/${id}/${action}`, 'POST');
  const amend = (id: string, change: unknown) => adminCall(`${rounds()}/${id}`, 'PATCH', json(change));

  async function view(id: string): Promise<Record<string, unknown>> {
    return (await (await fetch(`${edge.publicUrl}/v1/rounds/${id}`)).json()) as Record<string, unknown>;
  }

  const put = async (round: string, investor: string, amount: number, key = freshKey()) =>
    invest(edge.publicUrl, { round, investor, key, body: GBP(amount) });

  const people = (...names: readonly string[]) =>
    importInvestors(
      { edge, ledger },
      names.map((investor) => ({ investor, balance: 100_000 })),
    );

  before(async () => {
    ({ dataDir, remove } = await temporaryDataDir());
    [edge, ledger] = await Promise.all([startEdgeProcess({ dataDir, env }), startLedgerProcess({ dataDir })]);
  });

  after(async () => {
    await edge?.stop();
    await ledger?.stop();
    await remove?.();
  });

  test('a round opens and closes by its times', async () => {
    const opensAt = Date.now() + 700;
    const closesAt = opensAt + 700;
    await people('timed', 'timed-2');
    await create('timed', {
      opensAt: new Date(opensAt).toISOString(),
      closesAt: new Date(closesAt).toISOString(),
    });
    const early = await put('timed', 'timed', 1_000);
    assert.deepEqual(
      [early.body['code'], early.body['opensAt']],
      ['round-not-open', new Date(opensAt).toISOString()],
    );
    const watcher = new LiveClient(edge.publicUrl, 'timed');
    await watcher.next('round', ({ state }) => state === 'open');
    assert.ok(Date.now() >= opensAt);
    assert.equal((await put('timed', 'timed', 1_000)).status, 201);
    await watcher.next('round', ({ state }) => state === 'closed');
    assert.ok(Date.now() >= closesAt);
    assert.equal((await put('timed', 'timed-2', 1_000)).body['code'], 'round-closed');
    watcher.close();
  });

  test('pause and resume; what has an answer keeps it in every state', async () => {
    await people('pat', 'pia');
    await create('pauses');
    const key = freshKey();
    const first = await put('pauses', 'pat', 1_000, key);
    const replayed = async (): Promise<void> => {
      const again = await put('pauses', 'pat', 1_000, key);
      assert.deepEqual([again.status, again.headers['idempotency-replayed']], [201, 'true']);
      assert.deepEqual(again.bytes, first.bytes);
    };
    await act('pauses', 'pause');
    const paused = freshKey();
    assert.equal((await put('pauses', 'pia', 1_000, paused)).body['code'], 'round-paused');
    await replayed();
    await act('pauses', 'resume');
    assert.equal(
      (await put('pauses', 'pia', 1_000, paused)).status,
      201,
      'a refusal by state does not stick to its key',
    );
    await act('pauses', 'close');
    await replayed();
    assert.equal((await put('pauses', 'pia', 1_000)).body['code'], 'round-closed');
    await assert.rejects(act('pauses', 'open'), /409 .*wrong-state/);
  });

  test('the cap holds under a rush on three shards, and a raise makes a full round open again', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `rush-${i}`);
    await people(...names);
    await create('rush', { cap: 40_500, maximum: 2_000 });
    const answers = await Promise.all(names.map((name) => put('rush', name, 1_000)));
    assert.equal(answers.filter(({ status }) => status === 201).length, 40);
    const full = answers.filter(({ body }) => body['code'] === 'round-full');
    assert.equal(full.length, 20);
    for (const { body } of full) assert.equal(body['remaining'], 500, 'no undersell');
    const { state, admitted, remaining, investors } = await view('rush');
    assert.deepEqual([state, admitted, remaining, investors], ['full', 40_000, 500, 40]);
    await amend('rush', { cap: 42_000 });
    assert.equal((await view('rush'))['state'], 'open');
    await assert.rejects(amend('rush', { cap: 41_999 }), /422 .*cap-below/);
    const late = names.filter((_, i) => answers[i]!.status !== 201).slice(0, 3);
    const more = await Promise.all(late.map((name) => put('rush', name, 1_000)));
    assert.deepEqual(more.map(({ status }) => status).sort(), [201, 201, 409]);
    const sequences = answers
      .concat(more)
      .flatMap(({ body }) => (body['sequence'] === undefined ? [] : [body['sequence']]));
    assert.equal(new Set(sequences).size, 42);
  });

  test('each round has bounds of its own, and they can be changed while it is open', async () => {
    await people('bea');
    await create('narrow', { minimum: 5_000, maximum: 6_000 });
    assert.deepEqual((await put('narrow', 'bea', 4_999)).body['minimum'], 5_000);
    assert.deepEqual((await put('narrow', 'bea', 6_001)).body['maximum'], 6_000);
    await amend('narrow', { minimum: 7_000, maximum: 8_000 });
    assert.equal((await put('narrow', 'bea', 6_000)).body['code'], 'amount-below-minimum');
    assert.equal((await put('narrow', 'bea', 7_500)).status, 201);
  });

  test('what is live in one round is held in the others until the ledger has taken it', async () => {
    await people('hal');
    await create('hold-a');
    await create('hold-b');
    await ledger.stop();
    assert.equal((await put('hold-a', 'hal', 60_000)).status, 201);
    const key = freshKey();
    const refused = await put('hold-b', 'hal', 50_000, key);
    assert.equal(refused.body['code'], 'insufficient-balance');
    assert.equal((await put('hold-b', 'hal', 40_000)).status, 201, 'exactly what is left');
    const watcher = new LiveClient(edge.publicUrl, 'hold-b');
    ledger = await startLedgerProcess({ dataDir });
    await watcher.next('round', ({ settled }) => settled === 40_000);
    assert.equal((await put('hold-b', 'hal', 50_000, key)).headers['idempotency-replayed'], 'true');
    watcher.close();
  });

  test('a decline gives its room back once, and the investor may invest again', async () => {
    // The edge knows of money that the ledger does not have.
    await importInvestors({ ledger }, [{ investor: 'dee', balance: 1_500 }]);
    await importInvestors({ edge }, [{ investor: 'dee', balance: 100_000 }]);
    await people('dan');
    await create('declines', { cap: 10_000, maximum: 10_000 });
    const accepted = await put('declines', 'dee', 10_000);
    assert.equal(accepted.status, 201);
    const path = `${edge.publicUrl}${accepted.headers['location']}`;
    let shown = await read(path, 'dee');
    while (shown.body['state'] === 'accepted') shown = await read(path, 'dee');
    assert.deepEqual([shown.body['state'], shown.body['reason']], ['declined', 'insufficient-funds']);
    assert.equal(typeof shown.body['declinedAt'], 'string');
    const { remaining, investors, settled } = await view('declines');
    assert.deepEqual([remaining, investors, settled], [10_000, 0, 0]);
    assert.equal((await put('declines', 'dan', 10_000)).status, 201);
    const beyond = await put('declines', 'dee', 2_000);
    assert.equal(beyond.body['code'], 'insufficient-balance', 'the decline has told the balance');
    const again = await put('declines', 'dee', 1_000);
    assert.deepEqual(
      [again.body['code'], again.body['remaining']],
      ['round-full', 0],
      'given back once, not twice',
    );
  });

  test('a second process on the same directory exits 75', async () => {
    const second = await startEdgeProcess({ dataDir, waitReady: false });
    assert.deepEqual(await second.exited, { code: 75, signal: null });
    const ledgerAgain = await startLedgerProcess({ dataDir, waitReady: false });
    assert.equal((await ledgerAgain.exited).code, 75);
  });

  test('SIGTERM exits 0, and a restart with another number of shards keeps it all', async () => {
    const ids = ['timed', 'pauses', 'rush', 'narrow', 'hold-a', 'hold-b', 'declines'];
    const same = ({ sequence, serverTime, settled, ...rest }: Record<string, unknown>) => {
      void [sequence, serverTime, settled];
      return rest;
    };
    const before = await Promise.all(ids.map(view));
    const flood = Array.from({ length: 60 }, (_, i) => `rush-${i}`).map((name) =>
      put('narrow', name, 7_500).catch(() => null),
    );
    const exit = await edge.stop();
    assert.deepEqual(exit, { code: 0, signal: null });
    const answered = (await Promise.all(flood)).filter((answer) => answer?.status === 201);
    edge = await startEdgeProcess({ dataDir, env: { OPENBELL_WORKERS: '2' } });
    const now = await Promise.all(ids.map(view));
    for (const [i, id] of ids.entries()) {
      if (id !== 'narrow') assert.deepEqual(same(now[i]!), same(before[i]!));
    }
    for (const answer of answered) {
      const shown = await read(
        `${edge.publicUrl}${answer!.headers['location']}`,
        String(answer!.body['investor']),
      );
      assert.equal(shown.body['id'], answer!.body['id'], 'what was answered is there');
    }
    assert.ok((now[3]!['investors'] as number) >= 1 + answered.length);
  });
});
