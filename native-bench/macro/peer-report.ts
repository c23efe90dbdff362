// Medians, spread, targets and the Markdown table of the comparison with the peers.

import { PEERS } from '../peers/peer-list.js';
import type { PeerBlock } from './peer-compare.js';
import { OPENBELL } from './peer-targets.js';
import type { Reached } from './ratios/ratio.js';
import { type Figure, figure, fixed, whole } from './report.js';

export interface PeerRow {
  readonly target: string;
  readonly title: string;
  readonly perSecond: Figure;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  /** Microseconds of CPU an answer, of all processes of the server. */
  readonly serverCpuUs: Figure;
  readonly generatorCpuUs: Figure;
  /** openbell's rate ÷ this one's, round by round. */
  readonly rateRatio: Figure;
  /** This one's CPU an answer ÷ openbell's, round by round: above 1, openbell needs less. */
  readonly cpuRatio: Figure;
}

const cpuUs = ({ serverCpuS, requests }: PeerBlock): number => (serverCpuS * 1e6) / requests;

export function summarizePeers(
  blocks: readonly PeerBlock[],
  titles: ReadonlyMap<string, string>,
): readonly PeerRow[] {
  const openbell = new Map(
    blocks.filter(({ target }) => target === OPENBELL).map((block) => [block.round, block]),
  );
  return [...titles].map(([target, title]) => {
    const own = blocks.filter((block) => block.target === target);
    const ratios = (ratio: (ours: PeerBlock, theirs: PeerBlock) => number): Figure =>
      figure(
        own.flatMap((block) => {
          const ours = openbell.get(block.round);
          return ours === undefined ? [] : [ratio(ours, block)];
        }),
      );
    return {
      target,
      title,
      perSecond: figure(own.map(({ perSecond }) => perSecond)),
      p50Ms: figure(own.map(({ p50Us }) => p50Us / 1e3)),
      p99Ms: figure(own.map(({ p99Us }) => p99Us / 1e3)),
      serverCpuUs: figure(own.map(cpuUs)),
      generatorCpuUs: figure(own.map(({ cpuS, requests }) => (cpuS * 1e6) / requests)),
      rateRatio: ratios((ours, theirs) => ours.perSecond / theirs.perSecond),
      cpuRatio: ratios((ours, theirs) => cpuUs(theirs) / cpuUs(ours)),
    };
  });
}

/** How much better than a server on Node.js; than any other it is enough to be better at all. */
const NODE_TIMES = 3;

/** Rate and CPU beside each peer, as targets. */
export function peersReached(rows: readonly PeerRow[]): readonly Reached[] {
  return rows
    .filter(({ target }) => target !== OPENBELL)
    .flatMap(({ target: name, rateRatio, cpuRatio }) => {
      const isNode = PEERS.find((peer) => peer.name === name)?.toolchain === 'node';
      const target = isNode
        ? ({ is: 'at least', value: NODE_TIMES } as const)
        : ({ is: 'more than', value: 1 } as const);
      const one = (what: string, { median, min, max }: Figure): Reached => ({
        ...{ id: 'R6', what, target },
        ...{ value: median, low: min, high: max },
      });
      return [one(`rate ÷ that of ${name}`, rateRatio), one(`CPU of ${name} ÷ ours`, cpuRatio)];
    });
}

const spread = (value: Figure, show: (each: number) => string): string =>
  `${show(value.median)} (${show(value.min)}-${show(value.max)})`;

export function peersMarkdown(rows: readonly PeerRow[]): string {
  const digits = (count: number) => (value: number) => fixed(value, count);
  const lines = rows.map((row) => {
    const isOurs = row.target === OPENBELL;
    const cells = [
      row.title,
      spread(row.perSecond, whole),
      `${fixed(row.p50Ms.median, 1)} / ${fixed(row.p99Ms.median, 1)}`,
      spread(row.serverCpuUs, digits(1)),
      isOurs ? '' : spread(row.rateRatio, digits(2)),
      isOurs ? '' : spread(row.cpuRatio, digits(2)),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| server | answers/s | p50 / p99 ms | CPU µs an answer | openbell ÷ it: rate | it ÷ openbell: CPU |',
    '|---|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}
