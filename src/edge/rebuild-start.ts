// A start that builds the journal again first: `openbell edge --rebuild`, and a standby that takes over.

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import { CassandraRowStore } from '../engines/cassandra/row-store.js';
import type { WatermarkStore } from '../engines/watermark.js';
import { nowMs } from './clocks.js';
import { type RebuildFailure, type RebuildReport, rebuildJournal } from './rebuild.js';
import type { Places, StartFailure } from './start-state.js';

/** What an operator has asked for. */
export interface RebuildRequest {
  /** The first missing sequence, as it was named: what is missing from there on is given up. Null: nothing is. */
  readonly acceptLossFrom: number | null;
}

export interface RebuildModules {
  readonly config: Config;
  readonly places: Places;
  readonly watermarks: WatermarkStore;
  /** The epoch that this node owns its rounds under; null: one more than any that is known. */
  readonly epoch: number | null;
  /** A stale journal is set aside; false: it is a reason to stop. */
  readonly replaceExisting: boolean;
  readonly request: RebuildRequest;
  readonly logger: Logger;
}

const EXIT_OF = {
  missing: EXIT.checkFailed,
  unsound: EXIT.checkFailed,
  'nothing-missing': EXIT.usage,
  'journal-present': EXIT.config,
  superseded: EXIT.tryAgain,
  unavailable: EXIT.unavailable,
  refused: EXIT.config,
  disk: EXIT.internal,
} as const satisfies Record<RebuildFailure['code'], number>;

/**
 * Makes the newest journal that there are rows of that of this node, and has the watermark speak of it. Holds nothing
 * open when it returns; the recovery comes after it.
 */
export async function rebuildForStart(modules: RebuildModules): Promise<Result<RebuildReport, StartFailure>> {
  const { config, places, watermarks, epoch, replaceExisting, request, logger } = modules;
  if (config.cassandra.length === 0)
    return err({ message: 'a rebuild needs OPENBELL_CASSANDRA: the rows are there', exitCode: EXIT.config });
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ message: cassandra.error, exitCode: EXIT.config });
  const watermark = await watermarks.read();
  if (!watermark.ok) return err({ message: watermark.error, exitCode: EXIT.internal });
  const store = new CassandraRowStore(cassandra.value, config.cluster);
  const rebuilt = await rebuildJournal({
    store,
    journalDir: places.journalDir,
    cursorFile: places.cursorFile,
    segmentBytes: config.journalSegmentBytes,
    watermark: watermark.value,
    epoch,
    ack: config.ack,
    acceptLossFrom: request.acceptLossFrom,
    replaceExisting,
    nowMs,
    delay,
  });
  await store.close();
  if (!rebuilt.ok) {
    const { code, message } = rebuilt.error;
    return err({ message: `the journal cannot be built again: ${message}`, exitCode: EXIT_OF[code] });
  }
  const report = rebuilt.value;
  logReport(report, logger);
  const written = await speakOf(report, watermark.value, watermarks);
  return written.ok ? ok(report) : err({ message: written.error, exitCode: EXIT.internal });
}

/**
 * The watermark of a journal that is new here: also after a run that was killed before it came to that, which finds the
 * journal in place and the epoch on record.
 */
async function speakOf(
  { journalId, epoch, lastSequence, rounds }: RebuildReport,
  known: { readonly journalId: string; readonly epoch: number } | null,
  watermarks: WatermarkStore,
): Promise<Result<void, string>> {
  if (journalId === null || epoch === 0) return ok(undefined);
  if (known !== null && known.journalId === journalId && known.epoch >= epoch) return ok(undefined);
  const written = await watermarks.write({
    epoch,
    journalId,
    sequence: lastSequence,
    rounds: rounds.map(({ id, admitted, investors }) => ({ id, admitted, count: investors })),
    at: new Date(nowMs()).toISOString(),
  });
  return written.ok ? written : err(written.error.message);
}

function logReport(report: RebuildReport, logger: Logger): void {
  const { kind, journalId, epoch, rows, lost, warnings, setAside, rounds } = report;
  if (kind === 'kept') {
    logger.info({ journalId }, 'rebuild: the journal that is here is the newest one; nothing was built');
    return;
  }
  const totals = rounds.map(({ id, admitted, investors }) => ({ id, admitted, investors }));
  logger.info({ journalId, epoch, rows, rounds: totals, setAside }, 'rebuild: the journal was built again');
  for (const warning of warnings) logger.warn({ warning }, 'rebuild: it is worth knowing');
  if (lost !== null) logger.warn(lost, 'rebuild: rows were given up, as the operator has accepted');
}
