// `openbell edge`: the node that admits investments, as production runs it.

import { startEdge } from '../edge/node.js';
import { serviceCommand } from './service.js';

export async function edgeCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return serviceCommand(
    {
      role: 'edge',
      summary: 'Run the node that admits investments.',
      start: (config, logger, stopRequested) => startEdge({ config, logger, stopRequested }),
      ports: ({ publicPort, adminPort }) => ({ publicPort, adminPort }),
    },
    argv,
    env,
  );
}
