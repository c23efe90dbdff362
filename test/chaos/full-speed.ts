// The long form of the full-speed test: 300,000 attempts from 128 connections against a cap that sells out.
//   node dist/test/chaos/full-speed.js [--attempts N] [--connections N] [--investors N] [--cap MINOR] [--seed S]
//     [--workers N]

import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { reportText } from '../../src/rush/report.js';
import { temporaryDataDir } from '../harness/node-process.js';
import { runFullSpeed } from './full-speed-run.js';

const SEED_MAX = 0xffff_ffff;
const { values } = parseArgs({
  options: {
    attempts: { type: 'string', default: '300000' },
    connections: { type: 'string', default: '128' },
    investors: { type: 'string', default: '150000' },
    cap: { type: 'string', default: '2000000000' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string', default: `${randomInt(SEED_MAX)}` },
  },
});
const integer = (text: string): number => Number.parseInt(text, 10);
const { dataDir, remove } = await temporaryDataDir();
const { report, auditExit, auditText } = await runFullSpeed({
  attempts: integer(values.attempts),
  connections: integer(values.connections),
  investors: integer(values.investors),
  cap: integer(values.cap),
  seed: integer(values.seed),
  workers: integer(values.workers),
  dataDir,
});
console.log(reportText(report));
console.log(`openbell audit: exit ${auditExit}`);
const soldOut = (report.verdicts['round-full'] ?? 0) > 0;
if (!soldOut) console.log('the round did not sell out: give it a smaller --cap or more --attempts');
const held = report.ok && auditExit === 0 && soldOut;
if (auditExit !== 0) console.log(auditText);
if (held) await remove();
else console.log(`data kept in ${dataDir}`);
process.exit(held ? 0 : 1);
