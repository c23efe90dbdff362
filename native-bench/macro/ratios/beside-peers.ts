// R6: openbell beside servers of other makes that keep the same contract, in answers a second and in CPU an answer.

import { peersMarkdown, peersReached } from '../peer-report.js';
import { measurePeers } from '../peers.js';
import type { Bench, Measured, Ratio } from './ratio.js';

async function measure(bench: Bench): Promise<Measured> {
  const { loadConnections, rounds, seconds, perSecondMax } = bench.sizes;
  const { rows, blocks, missing } = await measurePeers({
    ...{ peers: [], connections: loadConnections, rounds, seconds, perSecondMax },
    ...{ scratch: bench.dir, log: bench.log },
  });
  return {
    reached: peersReached(rows),
    detail: { rows, blocks, missing },
    notes: [...missing.map((lack) => `R6: not measured: ${lack}`), `\n${peersMarkdown(rows)}`],
  };
}

export const BESIDE_PEERS: Ratio = { ids: ['r6'], title: 'Peers on the same contract', measure };
