// What is held against an investment when the ledger dies, and what is not. A death is a process that has let go of nothing.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import {
  LEDGER_DEATHS_MAX,
  LEDGER_GROUP_MAX,
  LEDGER_QUARANTINE_MAX,
  LEDGER_TOUCH_MS,
} from '../core/limits.js';
import { ok, type Result } from '../core/result.js';
import { investment, newDirectory } from './books-bench.js';
import { Quarantine } from './quarantine.js';
import { quarantinedSettle } from './quarantined-settle.js';
import type { Settlement, StoreFailure } from './store.js';
import { storeFailure } from './store-failure.js';

const logger = pino({ level: 'silent' });
const nowMs = (): number => Date.parse('2026-11-28T10:00:00Z');

function born(t: TestContext, directory: string): Quarantine {
  const quarantine = new Quarantine({ directory, logger, nowMs });
  t.after(() => quarantine.close());
  return quarantine;
}

/** A process that dies over these. */
function dies(t: TestContext, directory: string, ...ids: string[]): void {
  born(t, directory).begin(ids);
}

const idsOf = (quarantine: Quarantine): readonly string[] => quarantine.list().map(({ id }) => id);

test('deaths over one alone put it in quarantine; the next process knows it, with and without an end in order', (t) => {
  const directory = newDirectory(t);
  for (let deaths = 1; deaths < LEDGER_DEATHS_MAX; deaths++) dies(t, directory, 'bad');
  assert.deepEqual(idsOf(born(t, directory)), [], 'one death fewer is not enough, and is counted once');
  dies(t, directory, 'bad');
  const after = born(t, directory);
  const expected = { id: 'bad', deaths: LEDGER_DEATHS_MAX, since: '2026-11-28T10:00:00.000Z', isTold: false };
  assert.deepEqual(after.list(), [expected]);
  after.told('bad');
  after.begin(['good']);
  after.end();
  after.close();
  assert.deepEqual(born(t, directory).find('bad'), { ...expected, isTold: true });
});

test('of a group that was in work each is a suspect, and nothing is held against it', (t) => {
  const directory = newDirectory(t);
  for (let deaths = 0; deaths < 2 * LEDGER_DEATHS_MAX; deaths++) dies(t, directory, 'a', 'b', 'c');
  const after = born(t, directory);
  assert.deepEqual([after.isSuspect('a'), after.isSuspect('c'), after.isSuspect('d')], [true, true, false]);
  assert.deepEqual(idsOf(after), []);
});

test('what is settled once is forgiven', (t) => {
  const directory = newDirectory(t);
  for (let deaths = 1; deaths < LEDGER_DEATHS_MAX; deaths++) dies(t, directory, 'unlucky');
  const lucky = born(t, directory);
  lucky.begin(['unlucky']);
  lucky.end();
  lucky.settled(['unlucky']);
  dies(t, directory, 'unlucky');
  assert.deepEqual(idsOf(born(t, directory)), []);
});

test('an end in order holds nothing against anybody, nor does a store that is slow', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const directory = newDirectory(t);
  for (let stops = 0; stops < 2 * LEDGER_DEATHS_MAX; stops++) {
    const stopped = born(t, directory);
    stopped.begin(['waits']);
    stopped.close();
    const slow = born(t, directory);
    slow.begin(['waits']);
    t.mock.timers.tick(2 * LEDGER_TOUCH_MS);
    assert.equal(slow.isSuspect('waits'), false);
  }
  dies(t, directory, 'waits');
  assert.ok(born(t, directory).isSuspect('waits'), 'and a crash at once does');
});

test('one that is let out is tried again, and one more death puts it back', (t) => {
  const directory = newDirectory(t);
  for (const id of ['a', 'b'])
    for (let deaths = 0; deaths < LEDGER_DEATHS_MAX; deaths++) dies(t, directory, id);
  const released = born(t, directory);
  assert.deepEqual(released.release('nobody'), []);
  assert.deepEqual(released.release('a'), ['a']);
  assert.deepEqual([idsOf(released), released.isSuspect('a')], [['b'], true]);
  assert.deepEqual(released.release(null), ['b']);
  dies(t, directory, 'a');
  assert.deepEqual(idsOf(born(t, directory)), ['a']);
});

test('when too many seem to be the cause, no more are put away', (t) => {
  const directory = newDirectory(t);
  for (let i = 0; i <= LEDGER_QUARANTINE_MAX; i++)
    for (let deaths = 0; deaths < LEDGER_DEATHS_MAX; deaths++) dies(t, directory, `id-${i}`);
  const after = born(t, directory);
  assert.equal(after.size, LEDGER_QUARANTINE_MAX);
  assert.equal(after.find(`id-${LEDGER_QUARANTINE_MAX}`), undefined);
});

test('files that are damaged, or cannot be made, protect nobody and stop nothing', (t) => {
  const directory = newDirectory(t);
  dies(t, directory, 'a');
  for (const text of ['', '2\na\n\0\0', 'x', '{}', '1\n\n', '9999999\na\n']) {
    writeFileSync(join(directory, 'in-work'), text);
    writeFileSync(join(directory, 'quarantine.json'), text);
    const survivor = born(t, directory);
    survivor.begin(['b']);
    survivor.end();
    assert.deepEqual(survivor.list(), []);
  }
  const nowhere = new Quarantine({ directory: join(directory, 'missing'), logger, nowMs });
  nowhere.begin(['a']);
  nowhere.end();
  nowhere.close();
});

const settledOf = (group: readonly { readonly id: string }[]): Settlement[] =>
  group.map(({ id }) => ({ kind: 'conflict', detail: id }));

test('suspects have a transaction each, everything else shares one, and the answers keep their order', async (t) => {
  const directory = newDirectory(t);
  dies(t, directory, 'b', 'd');
  const quarantine = born(t, directory);
  const transactions: string[] = [];
  const settle = async (group: readonly { readonly id: string }[]) => {
    transactions.push(group.map(({ id }) => id).join());
    const note = readFileSync(join(directory, 'in-work'), 'utf8');
    assert.ok(
      note.startsWith(`${group.length}\n${group.map(({ id }) => id).join('\n')}\n`),
      'they are noted',
    );
    return ok(settledOf(group));
  };
  const group = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => investment(id));
  const guarded = quarantinedSettle({ settle }, quarantine);
  assert.deepEqual(await guarded.settle(group), ok(settledOf(group)));
  assert.deepEqual(transactions, ['a', 'b', 'c', 'd', 'e,f']);
  await guarded.settle(group);
  assert.equal(transactions.at(-1), 'a,b,c,d,e,f', 'they are forgiven');
});

test('a failure of the store is held against nobody; a defect of the program is', async (t) => {
  const directory = newDirectory(t);
  const once = async (failure: StoreFailure): Promise<Result<readonly Settlement[], StoreFailure>> => {
    const quarantine = born(t, directory);
    const settle = async (): Promise<Result<never, StoreFailure>> => ({ ok: false, error: failure });
    const settled = await quarantinedSettle({ settle }, quarantine).settle([investment('a')]);
    quarantine.close();
    return settled;
  };
  const failed = storeFailure(new Error('MDB_MAP_FULL'));
  for (let times = 0; times < LEDGER_DEATHS_MAX; times++) await once(failed);
  assert.equal(born(t, directory).isSuspect('a'), false);
  for (let times = 0; times < LEDGER_DEATHS_MAX; times++)
    await once(storeFailure(new TypeError('x is undefined')));
  assert.deepEqual(idsOf(born(t, directory)), ['a']);
});

test('the largest group is noted whole', (t) => {
  const directory = newDirectory(t);
  const ids = Array.from({ length: LEDGER_GROUP_MAX }, (_, i) => `${'x'.repeat(36)}${i}`);
  dies(t, directory, ...ids);
  const after = born(t, directory);
  assert.ok(ids.every((id) => after.isSuspect(id)));
});
