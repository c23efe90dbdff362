// A rush while nsqd, Cassandra, etcd, the ledger and the edge are killed and paused:
//   node dist/test/chaos/engines.js --each 5 [--kinds kill,pause] [--seed S] [--books lmdb|cassandra] [--data-dir DIR]
// Prints its seed first: the same seed brings the same faults about in the same order. Exit 1 if anything is wrong.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { temporaryDataDir } from '../harness/node-process.js';
import { runEngineChaos } from './engines-run.js';
import { FAULT_KINDS } from './fault-plan.js';

const SEED_MAX = 0xffff_ffff;
const { values } = parseArgs({
  options: {
    each: { type: 'string', default: '5' },
    kinds: { type: 'string', default: FAULT_KINDS.join() },
    seed: { type: 'string' },
    books: { type: 'string', default: 'lmdb' },
    'data-dir': { type: 'string' },
  },
});
const seed = values.seed === undefined ? randomInt(SEED_MAX) : Number.parseInt(values.seed, 10);
console.log(`seed ${seed}`);
const given = values['data-dir'];
const place = given === undefined ? await temporaryDataDir() : undefined;
const dataDir = given ?? (place?.dataDir as string);
const startMs = performance.now();
const summary = await runEngineChaos({
  seed,
  each: Number.parseInt(values.each, 10),
  kinds: FAULT_KINDS.filter((kind) => values.kinds.split(',').includes(kind)),
  dataDir,
  books: values.books === 'cassandra' ? 'cassandra' : 'lmdb',
  log: (text) => console.log(`${((performance.now() - startMs) / 1_000).toFixed(1)} s  ${text}`),
});
const { problems, ...counts } = summary;
console.log(JSON.stringify(counts));
for (const problem of problems) console.log(`WRONG  ${problem}`);
if (problems.length === 0) {
  console.log('nothing lost, nothing doubled');
  await place?.remove();
} else console.log(`data kept in ${dataDir}`);
process.exit(problems.length === 0 ? 0 : 1);
