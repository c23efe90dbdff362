// The long form of the kill test:
//   node dist/test/chaos/kill.js --edge-kills 200 --ledger-kills 100 [--seed S] [--data-dir DIR]
// Prints its seed first: the same seed kills at the same delays again. Exit 1 if anything is wrong.

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { temporaryDataDir } from '../harness/node-process.js';
import { runKills } from './kill-run.js';

const SEED_MAX = 0xffff_ffff;
const { values } = parseArgs({
  options: {
    'edge-kills': { type: 'string', default: '200' },
    'ledger-kills': { type: 'string', default: '100' },
    seed: { type: 'string' },
    'data-dir': { type: 'string' },
  },
});
const seed = values.seed === undefined ? randomInt(SEED_MAX) : Number.parseInt(values.seed, 10);
console.log(`seed ${seed}`);
const given = values['data-dir'];
const place = given === undefined ? await temporaryDataDir() : undefined;
const dataDir = given ?? (place?.dataDir as string);
const startMs = performance.now();
const summary = await runKills({
  edgeKills: Number.parseInt(values['edge-kills'], 10),
  ledgerKills: Number.parseInt(values['ledger-kills'], 10),
  seed,
  dataDir,
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
