// Before a journal is recovered: is it the newest one that there are rows of? If not, it is built again from them: where
// an operator has asked for it (`openbell edge --rebuild`), and where a standby takes over from a node whose journal is
// on another disk.

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../core/config.js';
import { EXIT } from '../core/exit-codes.js';
import { err, ok, type Result } from '../core/result.js';
import { cassandraOptions } from '../engines/cassandra/options.js';
import type { Tenure } from '../engines/coordination.js';
import { openRowStore } from '../engines/rows-of.js';
import { FileWatermarkStore, type Watermark, type WatermarkStore } from '../engines/watermark.js';
import { MirroredWatermarkStore } from '../engines/watermark-mirror.js';
import { verifyJournal } from '../workers/journal-verify.js';
import { nowMs } from './clocks.js';
import {
  presentJournal,
  type RebuildFailure,
  type RebuildOptions,
  type RebuildReport,
  rebuildJournal,
} from './rebuild.js';
import { makePlaces, type StartFailure } from './start-state.js';

/** What an operator has asked for. */
export interface RebuildRequest {
  /** The first missing sequence, as it was named: what is missing from there on is given up. Null: nothing is. */
  readonly acceptLossFrom: number | null;
}

export interface PrepareModules {
  readonly config: Config;
  readonly tenure: Tenure;
  /** Another node may have owned the rounds, on another disk. */
  readonly isShared: boolean;
  /** Null: nobody has asked for a rebuild. */
  readonly request: RebuildRequest | null;
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
 * Makes the newest journal that there are rows of that of this node, where that is asked for or may be another one's,
 * and has the watermarks speak of it. Holds nothing open when it returns; the recovery comes after it.
 */
export async function prepareJournal(modules: PrepareModules): Promise<Result<undefined, StartFailure>> {
  const { config, isShared, request, logger } = modules;
  if (config.cassandra.length === 0) {
    if (request === null) return ok(undefined);
    return err({ message: 'a rebuild needs OPENBELL_CASSANDRA: the rows are there', exitCode: EXIT.config });
  }
  if (request === null && !isShared) return ok(undefined);
  const rebuilt = await rebuild(modules);
  if (rebuilt.ok) return ok(undefined);
  const { code, message } = rebuilt.error;
  const { journalDir } = makePlaces(config.dataDir);
  if (request === null && code === 'unavailable' && presentJournal(journalDir) !== null) {
    // The watermark of the cluster says whose journal is the newest, and the recovery holds this one against it.
    logger.warn({ reason: message }, 'takeover: the rows cannot be read; the journal that is here must do');
    return ok(undefined);
  }
  const what = request === null ? 'the rounds cannot be taken over' : 'the journal cannot be built again';
  return err({ message: `${what}: ${message}`, exitCode: EXIT_OF[code] });
}

async function rebuild(modules: PrepareModules): Promise<Result<RebuildReport, RebuildFailure>> {
  const { config, tenure, isShared, request, logger } = modules;
  const cassandra = cassandraOptions(config);
  if (!cassandra.ok) return err({ code: 'refused', message: cassandra.error });
  const places = makePlaces(config.dataDir);
  const local = new FileWatermarkStore(places.watermarkFile);
  const stores = tenure.watermark === null ? [local] : [local, tenure.watermark];
  const newest = await newestWatermark(stores);
  if (!newest.ok) return err({ code: 'unavailable', message: newest.error });
  const { ownership } = tenure;
  const epochAbove = async (floor: number): Promise<Result<number, string>> => {
    const raised = await ownership.raiseAbove(floor);
    return raised.ok ? ok(ownership.epoch) : raised;
  };
  const store = await openRowStore(cassandra.value, config.cluster);
  const rebuilt = await rebuildJournal({
    store,
    journalDir: places.journalDir,
    cursorFile: places.cursorFile,
    segmentBytes: config.journalSegmentBytes,
    watermark: newest.value,
    epochAbove,
    ack: config.ack,
    acceptLossFrom: request?.acceptLossFrom ?? null,
    replaceExisting: isShared,
    nowMs,
    delay,
  });
  await store.close();
  if (!rebuilt.ok) return rebuilt;
  logReport(rebuilt.value, logger);
  const watermarks = tenure.watermark === null ? local : new MirroredWatermarkStore(tenure.watermark, local);
  const { journalDir } = places;
  const spoken = await speakOf(rebuilt.value, newest.value, { journalDir, watermarks, epochAbove });
  return spoken.ok ? rebuilt : spoken;
}

/** What was promised last, by whoever remembers. */
async function newestWatermark(stores: readonly WatermarkStore[]): Promise<Result<Watermark | null, string>> {
  let newest: Watermark | null = null;
  for (const store of stores) {
    const read = await store.read();
    if (!read.ok) return read;
    const { value } = read;
    if (value === null) continue;
    const isNewer =
      newest === null ||
      value.epoch > newest.epoch ||
      (value.epoch === newest.epoch && value.sequence > newest.sequence);
    if (isNewer) newest = value;
  }
  return ok(newest);
}

/**
 * The watermark of a journal that is new here: also after a run that was killed before it came to that, which finds the
 * journal in place and the epoch on record.
 */
async function speakOf(
  report: RebuildReport,
  known: Watermark | null,
  modules: {
    readonly journalDir: string;
    readonly watermarks: WatermarkStore;
    readonly epochAbove: RebuildOptions['epochAbove'];
  },
): Promise<Result<void, RebuildFailure>> {
  const { journalDir, watermarks, epochAbove } = modules;
  const { kind, journalId } = report;
  let { epoch, lastSequence, rounds } = report;
  if (journalId === null || epoch === 0) return ok(undefined);
  if (kind === 'kept') {
    if (known !== null && (known.journalId === journalId || known.epoch >= epoch)) return ok(undefined);
    // That run's epoch has gone with it; nobody but the owner of now may write.
    const raised = await epochAbove(Math.max(epoch, known?.epoch ?? 0));
    if (!raised.ok) return err({ code: 'unavailable', message: raised.error });
    epoch = raised.value;
    ({ lastSequence, rounds } = verifyJournal(journalDir, Number.POSITIVE_INFINITY));
  }
  const written = await watermarks.write({
    epoch,
    journalId,
    sequence: lastSequence,
    rounds: rounds.map(({ id, admitted, investors }) => ({ id, admitted, count: investors })),
    at: new Date(nowMs()).toISOString(),
  });
  if (written.ok) return ok(undefined);
  const { code, message } = written.error;
  return err({ code: code === 'fenced' ? 'superseded' : 'unavailable', message });
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
