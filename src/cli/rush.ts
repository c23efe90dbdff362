// `openbell rush`: load at times planned beforehand, then every verdict that was seen compared with what the node holds.

import type { Logger } from 'pino';
import { EXIT } from '../core/exit-codes.js';
import { signToken } from '../core/token-signing.js';
import { ADMIN_SCOPE } from '../http/admin-auth.js';
import { rushOptions } from '../rush/options.js';
import { reportText } from '../rush/report.js';
import { type RushProgress, runRush } from '../rush/run.js';
import { nowS } from './admin-client.js';
import { CONFIG_OPTION, JSON_OPTION, readArguments, usageFailure } from './arguments.js';
import { errorText, fail } from './failure.js';
import { commandConfig } from './load-config.js';
import { createLogger } from './logger.js';
import { printJson, printLine } from './output.js';
import { type ProgressDisplay, progressDisplay } from './progress-display.js';
import { signingSecret } from './secret.js';

const SPEC = {
  name: 'rush',
  positionals: [],
  summary:
    'Send investments at times planned beforehand, then compare every verdict seen with what the node holds.',
  options: {
    rate: {
      type: 'string',
      value: 'N',
      help: 'attempts a second (1000); 0: each connection as fast as it is answered',
    },
    duration: { type: 'string', value: 'S', help: 'seconds (30)' },
    attempts: { type: 'string', value: 'N', help: 'at most this many in all' },
    investors: { type: 'string', value: 'N', help: 'rush-000001 to rush-N (10000)' },
    round: { type: 'string', value: 'ID', help: 'the only open one if not given' },
    curve: {
      type: 'string',
      value: 'CURVE',
      help: 'flat, or bell: the crowd comes at the start, three times the mean',
    },
    url: { type: 'string', value: 'URL', help: "the node's public port" },
    'admin-url': { type: 'string', value: 'URL', help: "the edge's admin port" },
    'ledger-url': { type: 'string', value: 'URL', help: "the ledger's admin port" },
    connections: { type: 'string', value: 'N', help: '(128)' },
    transport: { type: 'string', value: 'KIND', help: 'http (default), ws or mixed' },
    format: { type: 'string', value: 'FORMAT', help: 'json (default) or msgpack' },
    'amount-min': { type: 'string', value: 'MINOR', help: "smallest amount (the round's minimum)" },
    'amount-max': { type: 'string', value: 'MINOR', help: "largest amount (the round's maximum)" },
    duplicates: {
      type: 'string',
      value: 'PCT',
      help: 'attempts that repeat an earlier one, same key and body (0)',
    },
    poor: { type: 'string', value: 'PCT', help: 'investors without enough money (0)' },
    seed: { type: 'string', value: 'N', help: 'what to make the same attempts again with; printed' },
    'no-import': { type: 'boolean', help: 'the investors are there already' },
    answers: { type: 'string', value: 'FILE', help: 'write every attempt with its answer, as NDJSON' },
    ...CONFIG_OPTION,
    ...JSON_OPTION,
  },
  notes:
    'Latency is counted from the intended time of each attempt, so a slow node cannot hide it. An attempt without an\n' +
    'answer is asked again with its key. Exit 1 if an attempt was dropped, stayed unknown or met an error, or if a\n' +
    'check does not hold.',
} as const;

const TOKEN_TTL_S = 6 * 3_600;

export async function rushCommand(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const parsed = readArguments(argv, SPEC);
  if (!parsed.ok) return parsed.error;
  const { values } = parsed.value;
  const config = commandConfig(values.config, env);
  if (!config.ok) return fail(config.error);
  const options = rushOptions(values, config.value);
  if (!options.ok) return fail(usageFailure('rush', options.error.join('; ')));
  const secret = signingSecret(config.value);
  if (!secret.ok) return fail(secret.error);

  const { jwtAudience: audience, jwtIssuer: issuer } = config.value;
  const wantedS = Number.isFinite(options.value.durationS) ? options.value.durationS : 0;
  const expiresAtS = nowS() + Math.ceil(wantedS) + TOKEN_TTL_S;
  const signing = { secret: secret.value, audience, issuer, expiresAtS };
  const adminToken =
    config.value.adminToken ?? signToken(secret.value, { ...signing, subject: 'rush', scope: ADMIN_SCOPE });

  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const shown = stageProgress(createLogger('rush', config.value.logLevel));
  const context = { signing, adminToken, signal: interrupt.signal, progress: shown.progress };
  try {
    const report = await runRush(options.value, context);
    shown.end();
    if (!report.ok) return fail(report.error);
    if (values.json === true) printJson(report.value);
    else printLine(reportText(report.value));
    return report.value.ok ? EXIT.done : EXIT.checkFailed;
  } catch (error) {
    shown.end();
    return fail({ message: errorText(error), exitCode: EXIT.internal });
  }
}

interface ProgressShown {
  progress(progress: RushProgress): void;
  end(): void;
}

const UNITS = { tokens: 'investors', import: 'investors', rush: 'attempts', checks: 'questions' } as const;

/** One bar, or one series of log lines, for each stage. */
function stageProgress(logger: Logger): ProgressShown {
  let stage = '';
  let display: ProgressDisplay | undefined;
  return {
    progress(progress) {
      if (progress.stage !== stage) {
        display?.stop();
        stage = progress.stage;
        display = progressDisplay(stage, UNITS[progress.stage], progress.total, logger);
      }
      display?.update(progress.done);
    },
    end: () => display?.stop(),
  };
}
