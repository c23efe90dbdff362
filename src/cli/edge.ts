// `openbell edge`: the node that admits investments, as production runs it.

import { EXIT } from '../core/exit-codes.js';
import { err } from '../core/result.js';
import { startEdge } from '../edge/node.js';
import { nsqSettingsOf } from '../engines/bus-of.js';
import { serviceCommand } from './service.js';

export async function edgeCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return serviceCommand(
    {
      role: 'edge',
      summary: 'Run the node that admits investments.',
      start: async (config, logger, stopRequested) => {
        const nsq = nsqSettingsOf(config);
        return nsq.ok
          ? startEdge({ config, logger, nsq: nsq.value, stopRequested })
          : err({ message: nsq.error, exitCode: EXIT.config });
      },
      ports: ({ publicPort, adminPort }) => ({ publicPort, adminPort }),
    },
    argv,
    env,
  );
}
