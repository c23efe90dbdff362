// What every store of investor locks keeps, for the tests of each: all or none, one holder at a time.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { HeldLocks, InvestorLocks } from './locks.js';

export const investors = (count: number, prefix = 'investor'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

export async function locked(locks: InvestorLocks, names: readonly string[]): Promise<HeldLocks> {
  const acquired = await locks.acquire(names);
  assert.ok(acquired.ok, JSON.stringify(acquired));
  return acquired.value;
}

export function locksContract(
  name: string,
  fresh: (t: TestContext) => Promise<InvestorLocks>,
  options: { readonly skip?: string | false } = {},
): void {
  describe(`${name}: locks on investors`, { skip: options.skip ?? false }, () => {
    test('held until they are let go of', async (t) => {
      const locks = await fresh(t);
      const held = await locked(locks, ['alice', 'bob']);
      const refused = await locks.acquire(['bob', 'carol']);
      assert.deepEqual(refused, { ok: false, error: { code: 'held', investors: ['bob'] } });
      const carol = await locked(locks, ['carol']);
      await held.release();
      await (await locked(locks, ['bob', 'alice'])).release();
      await carol.release();
    });

    test('all or none: what a refusal took on its way is free', async (t) => {
      const locks = await fresh(t);
      const last = await locked(locks, ['investor-249']);
      assert.ok(!(await locks.acquire(investors(250))).ok);
      await last.release();
      await (await locked(locks, investors(250))).release();
    });

    test('the same investor twice in a group, and odd names', async (t) => {
      const locks = await fresh(t);
      const names = ['alice', 'alice', 'a/b', '../x', 'é', ' ', '~!@#$%^&*()'];
      const held = await locked(locks, names);
      assert.ok(!(await locks.acquire(['a/b'])).ok);
      await held.release();
      await held.release();
      await (await locked(locks, names)).release();
    });

    test('no investor at all is no lock at all', async (t) => {
      await (await locked(await fresh(t), [])).release();
    });

    test('of many that want the same ones, one at a time has them', async (t) => {
      const locks = await fresh(t);
      let inside = 0;
      const enter = async (): Promise<number> => {
        let turns = 0;
        while (turns < 3) {
          const acquired = await locks.acquire(['alice', 'bob']);
          if (!acquired.ok) {
            await new Promise(setImmediate);
            continue;
          }
          assert.equal(++inside, 1);
          await new Promise(setImmediate);
          inside--;
          await acquired.value.release();
          turns++;
        }
        return turns;
      };
      assert.deepEqual(await Promise.all([enter(), enter(), enter(), enter()]), [3, 3, 3, 3]);
    });
  });
}
