// Progress of a long command: a bar on a terminal, a log line every few seconds elsewhere. Always on stderr.

import { Presets, SingleBar } from 'cli-progress';
import type { Logger } from 'pino';

const LOG_INTERVAL_MS = 3_000;

export interface ProgressDisplay {
  update(done: number): void;
  stop(): void;
}

/**
 * @param what the work in one word, such as `importing`
 * @param unit what is counted
 */
export function progressDisplay(what: string, unit: string, total: number, logger: Logger): ProgressDisplay {
  return process.stderr.isTTY ? bar(what, unit, total) : logLines(what, unit, total, logger);
}

function bar(what: string, unit: string, total: number): ProgressDisplay {
  const format = `${what} [{bar}] {percentage}%  {value}/{total} ${unit}  {eta_formatted} left`;
  const shown = new SingleBar(
    { format, stream: process.stderr, hideCursor: true, etaBuffer: 50 },
    Presets.legacy,
  );
  shown.start(total, 0);
  return { update: (done) => shown.update(done), stop: () => shown.stop() };
}

function logLines(what: string, unit: string, total: number, logger: Logger): ProgressDisplay {
  let nextAtMs = performance.now() + LOG_INTERVAL_MS;
  return {
    update(done) {
      if (performance.now() < nextAtMs) return;
      nextAtMs = performance.now() + LOG_INTERVAL_MS;
      logger.info({ [unit]: done, total }, what);
    },
    stop: () => undefined,
  };
}
