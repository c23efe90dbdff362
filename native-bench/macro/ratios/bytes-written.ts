// R11: bytes that reach the disk for one admission at full load, over the bytes of its row.

import { join } from 'node:path';
import { callBytes, deviceBytes } from '../disk-bytes.js';
import { loadBlock } from '../load-block.js';
import { figure } from '../report.js';
import { rowBytes } from '../row-bytes.js';
import type { Bench, Measured, Ratio, Reached } from './ratio.js';

const TARGET = 3;

async function measure(bench: Bench): Promise<Measured> {
  const requests = bench.requests();
  const { rounds, seconds, loadConnections } = bench.sizes;
  const row = rowBytes();
  const edge = await bench.edge('bytes');
  try {
    let nextRecord = 0;
    const admit = async (forSeconds: number): Promise<number> => {
      const own = { ...requests, connections: loadConnections, seconds: forSeconds, firstRecord: nextRecord };
      const block = await loadBlock(edge, own);
      if (block.refused > 0 || block.ranOut) throw new Error(`${block.refused} requests were refused`);
      nextRecord += block.requests + loadConnections + 1;
      return block.requests;
    };
    await admit(1);
    const blocks: { admitted: number; rushed: number; settled: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      await edge.caughtUp();
      const before = deviceBytes(bench.dir);
      const admitted = await admit(seconds);
      const rushed = deviceBytes(bench.dir) - before;
      await edge.caughtUp();
      blocks.push({ admitted, rushed, settled: deviceBytes(bench.dir) - before });
      bench.log(`R11: ${(rushed / admitted).toFixed(0)} bytes an admission`);
    }
    const trace = join(bench.dir, 'trace');
    let traced = 0;
    const kindOf = (path: string): string =>
      path.startsWith(bench.dir)
        ? path.includes('.seg')
          ? 'journal'
          : 'other files of the node'
        : 'elsewhere';
    const calls = await callBytes(edge.pid, trace, kindOf, async () => {
      traced = await admit(1);
      await edge.caughtUp();
    });
    const line = (what: string, bytes: (block: (typeof blocks)[number]) => number): Reached => {
      const { median, min, max } = figure(blocks.map((block) => bytes(block) / block.admitted / row));
      return {
        ...{ id: 'R11', what: `bytes written ÷ row bytes, ${what}`, value: median },
        ...{ low: min, high: max },
        target: { is: 'at most', value: TARGET },
      };
    };
    const byCall = Object.entries(calls).map(([kind, bytes]) => `${kind} ${(bytes / traced).toFixed(0)}`);
    return {
      reached: [
        line('at full load', ({ rushed }) => rushed),
        line('index caught up', ({ settled }) => settled),
      ],
      detail: { row, blocks, calls, traced },
      notes: [
        `R11: a row has ${row} bytes; counted at the device, so whatever else writes to it counts too. System calls under strace, slowed and so in smaller batches, in bytes an admission: ${byCall.join(', ')} (a write through a memory map is no call).`,
      ],
    };
  } finally {
    await edge.stop();
  }
}

export const BYTES_WRITTEN: Ratio = { ids: ['r11'], title: 'Bytes written to the disk', measure };
