// R6: openbell beside servers of other makes that keep the same contract, in answers a second and in CPU an answer.

import { dirname } from 'node:path';
import { peersMarkdown, peersReached } from '../peer-report.js';
import { measurePeers } from '../peers.js';
import type { Bench, Measured, Ratio } from './ratio.js';

async function measure(bench: Bench): Promise<Measured> {
  const { loadConnections, rounds, seconds, perSecondMax } = bench.sizes;
  const { rows, blocks, missing } = await measurePeers({
    ...{ peers: [], connections: loadConnections, seconds, perSecondMax },
    // Every other round goes backwards: an even number is fair to the first and the last.
    rounds: 2 * Math.ceil(rounds / 2),
    // Beside the bench's own directory, which nobody else may enter: PostgreSQL runs as a user of its own.
    ...{ scratch: dirname(bench.dir), log: bench.log },
  });
  return {
    reached: peersReached(rows),
    detail: { rows, blocks, missing },
    notes: [`\n${peersMarkdown(rows)}`],
    missing,
  };
}

export const BESIDE_PEERS: Ratio = { ids: ['r6'], title: 'Peers on the same contract', measure };
