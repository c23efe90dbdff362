// A live connection's messages are taken in the order in which they were sent: who an `invest` speaks for is settled by
// the `auth` before it, answered or not.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIVE_HELD_MAX } from '../../src/core/limits.js';
import {
  createRound,
  type EdgeProcess,
  importInvestors,
  investorToken,
  type LedgerProcess,
  startEdgeProcess,
  startLedgerProcess,
  temporaryDataDir,
} from '../harness/node-process.js';
import { freshKey } from './contract-client.js';
import { JSON_PROTOCOL, LiveClient, type LiveMessage, MSGPACK_PROTOCOL } from './live-client.js';

const investors = Array.from({ length: 100 }, (_, i) => `order-${i}`);

describe('messages of a live connection, sent without waiting', () => {
  let edge: EdgeProcess;
  let ledger: LedgerProcess;
  let remove: () => Promise<void>;
  let next = 0;
  const someone = (): string => investors[next++]!;
  const auth = (investor: string) => ({ type: 'auth', token: investorToken(investor) });
  const order = () => ({ type: 'invest', key: freshKey(), amount: 2_000, currency: 'GBP' });

  before(async () => {
    const { dataDir, remove: removeDir } = await temporaryDataDir();
    remove = removeDir;
    const env = { OPENBELL_WORKERS: '2', OPENBELL_INVESTOR_RATE: '0' };
    [edge, ledger] = await Promise.all([startEdgeProcess({ dataDir, env }), startLedgerProcess({ dataDir })]);
    await createRound(edge, { id: 'crowd', cap: 100_000_000 });
    await importInvestors(
      { edge, ledger },
      investors.map((investor) => ({ investor, balance: 150_000 })),
    );
  });

  after(async () => {
    await edge?.stop();
    await ledger?.stop();
    await remove?.();
  });

  /** Sends all in one go; the verdicts in the order of the keys. */
  async function verdicts(client: LiveClient, messages: readonly object[]): Promise<LiveMessage[]> {
    for (const message of messages) client.send(message);
    const keys = messages
      .map((message) => (message as { key?: string }).key)
      .filter((key) => key !== undefined);
    // Those of two shards come in any order.
    const found = new Map<unknown, LiveMessage>();
    while (found.size < keys.length) {
      const verdict = await client.next('verdict');
      found.set(verdict['key'], verdict);
    }
    return keys.map((key) => found.get(key)!);
  }

  const ofWhom = ({ status, investment }: LiveMessage) => [
    status,
    (investment as { investor?: string } | undefined)?.investor,
  ];

  for (const protocol of [JSON_PROTOCOL, MSGPACK_PROTOCOL]) {
    test(`${protocol}: an invest behind an auth is of that investor`, async () => {
      const [first, second] = [someone(), someone()];
      const client = new LiveClient(edge.publicUrl, 'crowd', { protocol });
      await client.opened();
      const got = await verdicts(client, [order(), auth(first), order(), auth(second), order()]);
      assert.deepEqual(got.map(ofWhom), [
        [401, undefined],
        [201, first],
        [201, second],
      ]);
      client.close();
    });
  }

  test('an auth that fails changes nobody, and members in any order are seen', async () => {
    const [first, second] = [someone(), someone()];
    const client = new LiveClient(edge.publicUrl, 'crowd', { token: investorToken(first) });
    await client.opened();
    const { type, token } = auth(second);
    const [mine] = await verdicts(client, [{ type: 'auth', token: 'nonsense' }, order()]);
    assert.deepEqual(ofWhom(mine!), [201, first]);
    const { type: invest, ...rest } = order();
    const [other] = await verdicts(client, [
      { token, type },
      { ...rest, type: invest },
    ]);
    assert.deepEqual(ofWhom(other!), [201, second]);
    client.close();
  });

  test('a gateway’s own tokens keep their places behind an auth', async () => {
    const [first, second] = [someone(), someone()];
    const client = new LiveClient(edge.publicUrl, 'crowd');
    await client.opened();
    const got = await verdicts(client, [auth(first), { ...order(), token: investorToken(second) }, order()]);
    assert.deepEqual(got.map(ofWhom), [
      [201, second],
      [201, first],
    ]);
    client.close();
  });

  test('too many that wait are told so under their keys, and nothing else is lost', async () => {
    const client = new LiveClient(edge.publicUrl, 'crowd');
    await client.opened();
    const investor = someone();
    const count = 4 * LIVE_HELD_MAX;
    const got = await verdicts(client, [auth(investor), ...Array.from({ length: count }, order)]);
    assert.equal(got.length, count);
    for (const { status } of got) assert.ok([201, 409, 503].includes(status as number), `${String(status)}`);
    assert.deepEqual(got.filter(({ status }) => status === 201).map(ofWhom), [[201, investor]]);
    client.close();
  });
});
