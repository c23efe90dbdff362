// `openbell edge`: the node that admits investments, as production runs it.

import { EXIT } from '../core/exit-codes.js';
import { err } from '../core/result.js';
import { startEdge } from '../edge/node.js';
import type { RebuildRequest } from '../edge/rebuild-start.js';
import { nsqSettingsOf } from '../engines/bus-of.js';
import { type OptionSpecs, usageFailure } from './arguments.js';
import type { Failure } from './failure.js';
import { type OwnValues, serviceCommand } from './service.js';

const OPTIONS = {
  rebuild: { type: 'boolean', help: 'first build the journal again from its rows in Cassandra' },
  'accept-loss-from': {
    type: 'string',
    value: 'SEQ',
    help: 'with --rebuild: give up the missing rows from this sequence on, which the refusal has named',
  },
} as const satisfies OptionSpecs;

export async function edgeCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  let rebuild: RebuildRequest | undefined;
  const read = (values: OwnValues): Failure | null => {
    const from = values['accept-loss-from'];
    if (values['rebuild'] !== true)
      return from === undefined ? null : usageFailure('edge', '--accept-loss-from goes with --rebuild');
    if (from !== undefined && !(typeof from === 'string' && /^[1-9]\d{0,14}$/.test(from)))
      return usageFailure('edge', '--accept-loss-from must be a sequence: 1, 2, …');
    rebuild = { acceptLossFrom: typeof from === 'string' ? Number.parseInt(from, 10) : null };
    return null;
  };
  return serviceCommand(
    {
      role: 'edge',
      summary: 'Run the node that admits investments.',
      own: { options: OPTIONS, read },
      start: async (config, logger, stopRequested) => {
        const nsq = nsqSettingsOf(config);
        if (!nsq.ok) return err({ message: nsq.error, exitCode: EXIT.config });
        const asked = rebuild === undefined ? {} : { rebuild };
        return startEdge({ config, logger, nsq: nsq.value, stopRequested, ...asked });
      },
      ports: ({ publicPort, adminPort }) => ({ publicPort, adminPort }),
    },
    argv,
    env,
  );
}
