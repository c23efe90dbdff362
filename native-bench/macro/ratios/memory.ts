// R9: what one investor costs in memory: known only, and with an investment.

import { readFileSync } from 'node:fs';
import { importKnown } from '../known-investors.js';
import { loadBlock } from '../load-block.js';
import type { EdgeTarget } from '../targets.js';
import type { Bench, Measured, Ratio } from './ratio.js';

const KNOWN_TARGET = 64;
const ADMITTED_TARGET = 200;

interface Memory {
  /** Bytes that are the process's own: its heaps, its shared arrays. */
  readonly anonymous: number;
  /** Bytes of mapped files, such as the index: a cache that the kernel may take back. */
  readonly file: number;
}

function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1_024;
  return { anonymous: bytes('Pss_Anon') + bytes('Pss_Shmem'), file: bytes('Pss_File') };
}

/** The collector and the allocator give back what they do not need, in their own time. */
async function settledMemory(edge: EdgeTarget, restSeconds: number): Promise<Memory> {
  await edge.caughtUp();
  await new Promise((resolve) => setTimeout(resolve, restSeconds * 1_000));
  return memory(edge.pid);
}

async function measure(bench: Bench): Promise<Measured> {
  const requests = bench.requests();
  const { known, admitted, restSeconds } = bench.sizes;
  const edge = await bench.edge('memory', { unknownBalance: 'refuse' });
  try {
    // The first of both grow what every node has, however few it knows.
    const warm = Math.ceil(known / 10);
    await importKnown(edge.adminUrl, 0, warm);
    const start = await settledMemory(edge, restSeconds);
    bench.log(`R9: ${known - warm} investors`);
    await importKnown(edge.adminUrl, warm, known);
    const afterKnown = await settledMemory(edge, restSeconds);
    let nextRecord = 0;
    const admit = async (wanted: number): Promise<number> => {
      const first = nextRecord;
      let answered = 0;
      while (answered < wanted) {
        const own = {
          ...requests,
          connections: bench.sizes.loadConnections,
          seconds: 1,
          firstRecord: nextRecord,
        };
        const block = await loadBlock(edge, { ...own, records: Math.min(requests.records, known) });
        if (block.refused > 0 || block.ranOut)
          throw new Error(`too few known investors: ${block.refused} refused`);
        answered += block.requests;
        nextRecord += block.requests + bench.sizes.loadConnections + 1;
      }
      return nextRecord - first;
    };
    bench.log(`R9: ${admitted} admissions`);
    await admit(1);
    const warmed = await settledMemory(edge, restSeconds);
    const rows = await admit(admitted);
    const lag = (await edge.counts()).lag;
    const before = memory(edge.pid);
    const after = await settledMemory(edge, restSeconds);
    const perKnown = Math.max(0, afterKnown.anonymous - start.anonymous) / (known - warm);
    const per = (bytes: number): number => Math.max(0, bytes) / rows;
    const perAdmitted = per(after.anonymous - warmed.anonymous);
    const perUnindexed = per(before.anonymous - warmed.anonymous);
    return {
      reached: [
        {
          ...{ id: 'R9', what: 'bytes a known investor', value: perKnown },
          target: { is: 'at most', value: KNOWN_TARGET },
        },
        {
          ...{ id: 'R9', what: 'bytes an admitted one, index caught up', value: perAdmitted },
          target: { is: 'at most', value: ADMITTED_TARGET },
        },
        {
          ...{
            id: 'R9',
            what: 'bytes an admitted one, end of the rush',
            value: perUnindexed,
          },
          target: { is: 'at most', value: ADMITTED_TARGET },
        },
      ],
      detail: { known, warm, rows, lagBefore: lag, start, afterKnown, warmed, before, after },
      notes: [
        `R9: private and shared memory of the process; pages of the index file, ${(after.file / 2 ** 20).toFixed(0)} MiB at the end, are the kernel's cache and not counted. ${lag} rows were not in the index at the end of the rush.`,
      ],
    };
  } finally {
    await edge.stop();
  }
}

export const MEMORY: Ratio = { ids: ['r9'], title: 'Memory per investor', measure };
