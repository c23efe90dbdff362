// R8: whether a node that knows millions of investors, and has admitted a million, is as fast as one that is new.

import { importKnown } from '../known-investors.js';
import { type LoadBlock, loadBlock, ratioOf, toAndFro } from '../load-block.js';
import type { EdgeTarget } from '../targets.js';
import type { Bench, Measured, Ratio } from './ratio.js';

const TARGET = 0.85;
/** So short that the few known investors of the new node are enough for a block. */
const BLOCK_S = 1;
const WARM_UP_S = 2;

async function admit(bench: Bench, edge: EdgeTarget, firstRecord: number, known: number): Promise<LoadBlock> {
  const requests = bench.requests();
  const block = await loadBlock(edge, {
    ...requests,
    ...{ connections: bench.sizes.loadConnections, seconds: BLOCK_S, firstRecord },
    records: Math.min(requests.records, known),
  });
  if (block.refused > 0 || block.ranOut)
    throw new Error(`${block.requests} answers with ${known} known investors: ${block.refused} refused`);
  await edge.caughtUp();
  return block;
}

/** Strangers, who are refused: the new node has then run all of its code but that of an acceptance, and has admitted none. */
async function warmUp(bench: Bench, edge: EdgeTarget, firstRecord: number): Promise<void> {
  const { loadConnections } = bench.sizes;
  const load = { ...bench.requests(), connections: loadConnections, seconds: WARM_UP_S, firstRecord };
  const { requests, refused } = await loadBlock(edge, load);
  if (refused !== requests) throw new Error(`${requests - refused} strangers were admitted`);
  await edge.caughtUp();
}

async function measure(bench: Bench): Promise<Measured> {
  const { known, admitted, knownBase, rounds, loadConnections, seconds } = bench.sizes;
  const many = await bench.edge('many', { unknownBalance: 'refuse' });
  try {
    bench.log(`R8: ${known} investors`);
    await importKnown(many.adminUrl, 0, known);
    let nextRecord = 0;
    const manyBlock = async (): Promise<LoadBlock> => {
      const block = await admit(bench, many, nextRecord, known);
      nextRecord += block.requests + loadConnections + 1;
      return block;
    };
    bench.log(`R8: ${admitted} admissions`);
    while (nextRecord < admitted) await manyBlock();
    let fresh = 0;
    const newBlock = async (): Promise<LoadBlock> => {
      const edge = await bench.edge(`few-${fresh++}`, { unknownBalance: 'refuse' });
      try {
        await importKnown(edge.adminUrl, 0, knownBase);
        await warmUp(bench, edge, knownBase);
        return await admit(bench, edge, 0, knownBase);
      } finally {
        await edge.stop();
      }
    };
    // More rounds, for the blocks are short.
    const pairs = await toAndFro(Math.max(1, Math.min(rounds * seconds, rounds + 2)), manyBlock, newBlock);
    const { median, min, max } = ratioOf(pairs, ({ perSecond }) => perSecond);
    return {
      reached: [
        {
          ...{
            id: 'R8',
            what: `rate, ${known} known, ${admitted} admitted ÷ few`,
          },
          ...{ value: median, low: min, high: max },
          target: { is: 'at least', value: TARGET },
        },
      ],
      detail: { known, admitted, knownBase, pairs },
    };
  } finally {
    await many.stop();
  }
}

export const MANY_KNOWN: Ratio = { ids: ['r8'], title: 'Millions of investors', measure };
