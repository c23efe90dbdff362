// What every registry of rounds keeps, for the tests of each: the newest definition of each round, and no older owner's.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { RoundDefinition } from '../core/round.js';
import type { RoundRegistry, SharedRound } from './round-registry.js';

const definitionOf = (change: Partial<RoundDefinition> = {}): RoundDefinition => ({
  number: 1,
  id: 'crowd',
  name: 'Crowd 2026',
  currency: 'GBP',
  cap: 2_000_000_000,
  minimum: 1_000,
  maximum: 200_000,
  opensAt: null,
  closesAt: null,
  unknownBalance: 'refuse',
  state: 'scheduled',
  ...change,
});

export const sharedRound = (
  epoch: number,
  sequence: number,
  change: Partial<RoundDefinition> = {},
): SharedRound => ({ definition: definitionOf(change), journalId: 'aaaaaaaa', sequence, epoch });

export interface RegistryPlace {
  readonly registry: RoundRegistry;
  /** The epoch of the owner of now. */
  readonly epoch: number;
  /** Makes way for the next owner, and answers its registry and epoch. */
  next(): Promise<{ readonly registry: RoundRegistry; readonly epoch: number }>;
}

export function roundRegistryContract(
  name: string,
  fresh: (t: TestContext) => Promise<RegistryPlace>,
  options: { readonly skip?: string | false } = {},
): void {
  const listOf = async (registry: RoundRegistry): Promise<readonly SharedRound[]> => {
    const listed = await registry.list();
    assert.ok(listed.ok, JSON.stringify(listed));
    return listed.value;
  };

  describe(`${name}: the rounds that are shared`, { skip: options.skip ?? false }, () => {
    test('none before the first; then the newest of each', async (t) => {
      const { registry, epoch } = await fresh(t);
      assert.deepEqual(await listOf(registry), []);
      const other = sharedRound(epoch, 2, { id: 'other', number: 2 });
      assert.ok((await registry.put([sharedRound(epoch, 1), other])).ok);
      const paused = sharedRound(epoch, 9, { state: 'paused' });
      assert.ok((await registry.put([paused])).ok);
      assert.deepEqual(await listOf(registry), [paused, other]);
      assert.ok((await registry.put([])).ok);
    });

    test('as many as a node can hold, in one go', async (t) => {
      const { registry, epoch } = await fresh(t);
      const rounds = Array.from({ length: 64 }, (_, i) =>
        sharedRound(epoch, i + 1, { id: `round-${String(i).padStart(2, '0')}`, number: i + 1 }),
      );
      assert.ok((await registry.put(rounds)).ok);
      assert.deepEqual(await listOf(registry), rounds);
      assert.ok((await registry.put(rounds)).ok, 'twice is as once');
    });

    test('one that comes late does not undo a newer one', async (t) => {
      const { registry, epoch } = await fresh(t);
      const newer = sharedRound(epoch, 9, { state: 'closed' });
      assert.ok((await registry.put([newer])).ok);
      assert.ok((await registry.put([sharedRound(epoch, 5, { state: 'open' })])).ok);
      assert.deepEqual(await listOf(registry), [newer]);
    });

    test('an older owner changes nothing (I10)', async (t) => {
      const place = await fresh(t);
      const before = sharedRound(place.epoch, 50, { state: 'open' });
      assert.ok((await place.registry.put([before])).ok);
      const { registry, epoch } = await place.next();
      assert.deepEqual(await listOf(registry), [before], 'the next owner knows it');
      const paused = sharedRound(epoch, 3, { state: 'paused' });
      assert.ok((await registry.put([paused])).ok, 'a later epoch is newer, whatever its sequence');
      const late = await place.registry.put([sharedRound(place.epoch, 60, { state: 'open' })]);
      assert.equal(!late.ok && late.error.code, 'fenced');
      assert.deepEqual(await listOf(registry), [paused]);
    });
  });
}
