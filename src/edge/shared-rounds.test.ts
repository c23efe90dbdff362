// Rounds told to the other nodes: the newest of each, until it is taken; and what a takeover makes of them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { InvestmentIds } from '../core/ids.js';
import { err, ok, type Result } from '../core/result.js';
import type { RoundDefinition } from '../core/round.js';
import { LocalRoundRegistry, type RegistryFailure, type RoundRegistry } from '../engines/round-registry.js';
import { sharedRound } from '../engines/round-registry-contract.js';
import { codeOf, newRounds } from './fake-rounds.js';
import { adoptSharedRounds, RoundSharer } from './shared-rounds.js';

const definitionOf = (change: Partial<RoundDefinition> = {}): RoundDefinition =>
  sharedRound(1, 1, change).definition;

class HeldRegistry implements RoundRegistry {
  readonly inner = new LocalRoundRegistry();
  puts = 0;
  /** What the next puts are answered instead of being made. */
  readonly failures: RegistryFailure[] = [];
  /** When set, puts wait for it. */
  hold: Promise<void> | null = null;

  list(): ReturnType<RoundRegistry['list']> {
    return this.inner.list();
  }

  async put(rounds: Parameters<RoundRegistry['put']>[0]): Promise<Result<void, RegistryFailure>> {
    this.puts++;
    await this.hold;
    const failure = this.failures.shift();
    return failure === undefined ? this.inner.put(rounds) : err(failure);
  }
}

function sharing(registry: RoundRegistry): { readonly sharer: RoundSharer; readonly fenced: string[] } {
  const fenced: string[] = [];
  const sharer = new RoundSharer({
    registry,
    epoch: 4,
    journalId: 'aaaaaaaa',
    onFenced: (reason) => fenced.push(reason),
    logger: pino({ level: 'silent' }),
  });
  return { sharer, fenced };
}

describe('sharing the rounds', () => {
  test('a change is shared before its answer leaves', async () => {
    const registry = new HeldRegistry();
    const { sharer } = sharing(registry);
    await sharer.share([definitionOf({ state: 'open' })], 12);
    assert.deepEqual(await registry.list(), ok([sharedRound(4, 12, { state: 'open' })]));
    await sharer.share([], 13);
    assert.equal(registry.puts, 1);
  });

  test('what changes while one is on its way goes out next, once, as it is then', async () => {
    const registry = new HeldRegistry();
    const { sharer } = sharing(registry);
    let release = (): void => undefined;
    registry.hold = new Promise((resolve) => {
      release = resolve;
    });
    const all = [
      sharer.share([definitionOf({ state: 'open' })], 12),
      sharer.share([definitionOf({ state: 'paused' })], 13),
      sharer.share([definitionOf({ state: 'closed' }), definitionOf({ id: 'other', number: 2 })], 14),
    ];
    release();
    await Promise.all(all);
    assert.equal(registry.puts, 2);
    assert.deepEqual(
      await registry.list(),
      ok([sharedRound(4, 14, { state: 'closed' }), sharedRound(4, 14, { id: 'other', number: 2 })]),
    );
  });

  test('out of reach: the answer leaves all the same, and it is told later', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const registry = new HeldRegistry();
    registry.failures.push({ code: 'unavailable', message: 'away' });
    const { sharer, fenced } = sharing(registry);
    let answered = false;
    const shared = sharer.share([definitionOf()], 12).then(() => {
      answered = true;
    });
    for (let i = 0; i < 20; i++) await Promise.resolve();
    assert.equal(answered, false);
    t.mock.timers.tick(1_000);
    await shared;
    for (let i = 0; i < 20; i++) await Promise.resolve();
    assert.deepEqual(await registry.list(), ok([sharedRound(4, 12)]));
    assert.deepEqual(fenced, []);
  });

  test('another owner has come: told once, and nothing more is shared', async () => {
    const registry = new HeldRegistry();
    registry.failures.push({ code: 'fenced', message: 'epoch 5' });
    const { sharer, fenced } = sharing(registry);
    await sharer.share([definitionOf()], 12);
    await sharer.share([definitionOf()], 13);
    assert.deepEqual(fenced, ['the rounds cannot be shared: epoch 5']);
    assert.equal(registry.puts, 1);
  });
});

describe('taking the rounds of the last owner over', () => {
  const both = (name: string): string[] => [`${name} begins`, `${name} ends`];
  const text = '1000-200000/2000000000';

  /** Of a journal that made what is shared, or was built from it up to `builtAt`. */
  const endAt = (last: number, builtAt?: number): { last: number; ids: InvestmentIds } => {
    const built = builtAt === undefined ? [] : [{ journalId: 'bbbbbbbb', firstSequence: builtAt }];
    return { last, ids: new InvestmentIds([{ journalId: 'aaaaaaaa', firstSequence: 1 }, ...built]) };
  };

  async function shared(...rounds: ReturnType<typeof sharedRound>[]): Promise<RoundRegistry> {
    const registry = new LocalRoundRegistry();
    assert.ok((await registry.put(rounds)).ok);
    return registry;
  }

  test('what the own journal holds already is left as it is', async () => {
    const { rounds, control } = newRounds();
    await rounds.restore([definitionOf({ state: 'open' })]);
    control.take();
    const registry = await shared(sharedRound(3, 10, { state: 'paused' }));
    assert.deepEqual(await adoptSharedRounds(registry, rounds, endAt(10)), ok(0));
    assert.deepEqual(control.take(), []);
  });

  test('a pause that only the last owner had journaled is in force before anything is admitted', async () => {
    const { rounds, control } = newRounds();
    await rounds.restore([definitionOf({ state: 'open' })]);
    control.take();
    const registry = await shared(sharedRound(3, 11, { state: 'paused' }));
    assert.deepEqual(await adoptSharedRounds(registry, rounds, endAt(10)), ok(1));
    assert.equal(rounds.get('crowd')?.state, 'paused');
    assert.deepEqual(control.take(), [
      `publish paused ${text}`,
      ...both(`shards paused ${text}`),
      ...both('barrier'),
      ...both(`journal amended paused ${text}`),
      `publish paused ${text}`,
    ]);
  });

  test('also one whose sequence the own journal has given to its lineage row, or to what came after', async () => {
    for (const builtAt of [10, 9]) {
      const { rounds } = newRounds();
      await rounds.restore([definitionOf({ state: 'open' })]);
      const registry = await shared(sharedRound(3, 10, { state: 'paused' }));
      assert.deepEqual(await adoptSharedRounds(registry, rounds, endAt(10, builtAt)), ok(1));
      assert.equal(rounds.get('crowd')?.state, 'paused');
    }
    const { rounds } = newRounds();
    await rounds.restore([definitionOf({ state: 'paused' })]);
    const registry = await shared(sharedRound(3, 10, { state: 'paused' }));
    assert.deepEqual(await adoptSharedRounds(registry, rounds, endAt(11, 11)), ok(0), 'it was saved');
  });

  test('rounds that the own journal has never seen, in the order of their numbers', async () => {
    const { rounds, control } = newRounds();
    const registry = await shared(
      sharedRound(3, 12, { id: 'second', number: 2, state: 'open' }),
      sharedRound(3, 15, { state: 'open' }),
    );
    assert.deepEqual(await adoptSharedRounds(registry, rounds, endAt(0)), ok(2));
    assert.deepEqual(
      rounds.list().map(({ id, number, state }) => [id, number, state]),
      [
        ['crowd', 1, 'open'],
        ['second', 2, 'open'],
      ],
    );
    assert.deepEqual(
      control.take().filter((event) => event.startsWith('journal') && event.endsWith('ends')),
      [`journal created open ${text} ends`, `journal created open ${text} ends`],
    );
  });

  test('a round that is another one here, and a cap that would fall, are refused', async () => {
    const { rounds } = newRounds();
    await rounds.restore([definitionOf({ id: 'mine', cap: 5_000 })]);
    for (const [change, reason] of [
      [
        { id: 'theirs' },
        /round theirs of the last owner cannot be taken over: Round number 1 is another round/,
      ],
      [{ id: 'mine', number: 2 }, /Round number 2 is another round/],
      [{ id: 'mine', cap: 4_999 }, /cap-below/],
    ] as const) {
      const adopted = await adoptSharedRounds(await shared(sharedRound(3, 11, change)), rounds, endAt(10));
      assert.match(adopted.ok ? 'taken' : adopted.error, reason);
    }
  });

  test('rounds that cannot be read, or journaled, are a reason not to start', async () => {
    const { rounds, control } = newRounds();
    const deaf: RoundRegistry = { list: async () => err('etcd is away'), put: async () => ok(undefined) };
    assert.deepEqual(await adoptSharedRounds(deaf, rounds, endAt(0)), err('etcd is away'));
    control.refusal = { code: 'not-durable' };
    const adopted = await adoptSharedRounds(await shared(sharedRound(3, 11)), rounds, endAt(10));
    assert.match(adopted.ok ? 'taken' : adopted.error, /not-durable/);
    assert.equal(codeOf(await rounds.transition('crowd', 'open')), 'round-not-found');
  });
});
