// R7: what a node answers that is sold out, and what it answers again, beside a constant.

import { requestOptions } from '../bench-context.js';
import { cpuUsOf, type LoadBlock, loadBlock, type Pair, ratioOf, toAndFro } from '../load-block.js';
import { record } from '../request-file.js';
import { type EdgeTarget, post, type Target } from '../targets.js';
import { AMOUNT, type Bench, type Measured, type Ratio, type Reached } from './ratio.js';

const TARGET = 0.8;

const rate = ({ perSecond }: LoadBlock): number => perSecond;

/** Every request is of another investor and refused with `round-full`, which sticks to its key and so is journaled. */
async function soldOut(bench: Bench, edge: EdgeTarget, constant: Target): Promise<Pair<LoadBlock>[]> {
  const requests = bench.requests();
  const { seconds, rounds } = bench.sizes;
  const first = await post(edge.url, record({ ...requestOptions(''), records: 1, label: 'first' }, 0));
  if (first.status !== 201) throw new Error(`the only place was not given: ${first.status} ${first.body}`);
  let nextRecord = 0;
  const block = async (): Promise<LoadBlock> => {
    const own = { ...requests, connections: bench.sizes.loadConnections, seconds, firstRecord: nextRecord };
    const report = await loadBlock(edge, own);
    nextRecord += report.requests + bench.sizes.loadConnections + 1;
    if (report.ranOut || report.refused !== report.requests)
      throw new Error(`${report.requests} answers of a full round, of which ${report.refused} are refusals`);
    await edge.caughtUp();
    return report;
  };
  return warmed(rounds, block, constantBlock(bench, constant));
}

/** The same keys again: each is answered from the index or from memory, with what was said first. */
async function replayed(bench: Bench, edge: EdgeTarget, constant: Target): Promise<Pair<LoadBlock>[]> {
  const requests = bench.requests();
  const { seconds, rounds } = bench.sizes;
  const admitting = await loadBlock(edge, {
    ...requests,
    ...{ connections: bench.sizes.loadConnections, seconds: 2 * seconds, firstRecord: 0 },
  });
  if (admitting.refused > 0) throw new Error(`${admitting.refused} requests were refused`);
  await edge.caughtUp();
  // Those in flight at the end may not have been admitted; the first of a file is read and not sent.
  const records = admitting.requests - bench.sizes.loadConnections;
  const block = async (): Promise<LoadBlock> => {
    const before = await edge.counts();
    const own = { ...requests, records, connections: bench.sizes.loadConnections, seconds, firstRecord: 1 };
    const report = await loadBlock(edge, own);
    const replays = (await edge.counts()).replays - before.replays;
    // A file that is sent more than once starts with the record that was never sent.
    if (
      report.refused > 0 ||
      replays < report.requests - 2 ||
      replays > report.requests + bench.sizes.loadConnections
    )
      throw new Error(`${report.requests} answers to known keys, but the node counts ${replays} replays`);
    return report;
  };
  return warmed(rounds, block, constantBlock(bench, constant));
}

/** Pairs of blocks, after one of each that does not count. */
async function warmed(
  rounds: number,
  ours: () => Promise<LoadBlock>,
  constant: () => Promise<LoadBlock>,
): Promise<Pair<LoadBlock>[]> {
  await ours();
  await constant();
  return toAndFro(rounds, ours, constant);
}

function constantBlock(bench: Bench, constant: Target): () => Promise<LoadBlock> {
  const { seconds } = bench.sizes;
  return () =>
    loadBlock(constant, {
      ...bench.requests(),
      connections: bench.sizes.loadConnections,
      seconds,
      firstRecord: 0,
    });
}

async function measure(bench: Bench): Promise<Measured> {
  const constant = await bench.constant();
  try {
    const detail: Record<string, unknown> = {};
    const reached: Reached[] = [];
    const notes: string[] = [];
    const kinds = [
      { name: 'sold-out', settings: { cap: AMOUNT }, run: soldOut },
      // Several passes in a second are more than one investor may ask for.
      { name: 'replayed', settings: { env: { OPENBELL_INVESTOR_RATE: '0' } }, run: replayed },
    ];
    for (const { name, settings, run } of kinds) {
      bench.log(`R7: ${name} answers`);
      const edge = await bench.edge(name, settings);
      try {
        const pairs = await run(bench, edge, constant);
        detail[name] = pairs;
        const { median, min, max } = ratioOf(pairs, rate);
        reached.push({
          ...{ id: 'R7', what: `${name} answers/s ÷ constant replies/s`, value: median, low: min, high: max },
          target: { is: 'at least', value: TARGET },
        });
        const cpu = ratioOf(pairs, cpuUsOf);
        notes.push(
          `R7: CPU of a ${name} answer ÷ of a constant one: ${cpu.median.toFixed(2)} (${cpu.min.toFixed(2)}-${cpu.max.toFixed(2)}).`,
        );
      } finally {
        await edge.stop();
      }
    }
    return { reached, detail, notes };
  } finally {
    await constant.stop();
  }
}

export const CHEAP_ANSWERS: Ratio = { ids: ['r7'], title: 'Sold-out and replayed answers', measure };
