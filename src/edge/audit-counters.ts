// The counters in shared memory against the journal, while shards go on reserving, journaling and releasing.
//
// A shard reserves room and counts the investor before it appends, and releases room, uncounts the investor and adds
// to settled or declined after its append. So at any moment the counters are those of the durable rows, plus what is
// on its way into the journal, less what has just come out of it. How much that can be is known from the journal:
//
//   D0 ─ every task at a shard ends ─▶ D1 = durable sequence, counters read, durable sequence still D1
//      ─ every task at a shard ends ─▶ D2
//
//   on its way in at D1    was accepted in a row of (D1, D2]: the tasks of that moment have ended by D2
//   just come out at D1    is an outcome row of (D0, D1]: whoever appended up to D0 had ended before the counters were read
//
// Between those bounds nothing is wrong, and with D0 = D2 the bounds are one number. Nothing waits for the audit.

import type { Counters } from '../core/counters.js';
import type { RoundDefinition } from '../core/round.js';
import type { Findings } from '../workers/audit-findings.js';
import type { RoundTotals } from '../workers/journal-audit.js';
import type { TotalsAt } from '../workers/upkeep-protocol.js';

export interface CounterSources {
  readonly counters: Counters;
  readonly rounds: () => readonly RoundDefinition[];
  /** The newest synced sequence. */
  readonly durable: () => number;
  /** Resolves when every task that was at a shard has ended. */
  readonly barrier: () => Promise<void>;
}

const COUNTED = ['admitted', 'investors', 'settled', 'declined'] as const;
type Counted = Readonly<Record<(typeof COUNTED)[number], number>>;

export interface CounterSample {
  /** D0, D1 and D2. */
  readonly before: number;
  readonly at: number;
  readonly after: number;
  readonly rounds: readonly ({ readonly number: number; readonly id: string } & Counted)[];
}

/** A frame comes every few hundred microseconds and a reading takes a few, so the second try is one too many already. */
const READINGS_MAX = 100;

/** Reads the counters with what bounds them; null when the journal moved during every reading. */
export async function sampleCounters(sources: CounterSources): Promise<CounterSample | null> {
  const { durable, barrier } = sources;
  const before = durable();
  await barrier();
  for (let reading = 0; reading < READINGS_MAX; reading++) {
    const at = durable();
    const rounds = readCounters(sources);
    if (durable() !== at) continue;
    await barrier();
    return { before, at, after: durable(), rounds };
  }
  return null;
}

function readCounters({ counters, rounds }: CounterSources): CounterSample['rounds'] {
  return rounds().map(({ number, id, cap }) => ({
    number,
    id,
    admitted: cap - counters.room(number),
    investors: counters.investors(number),
    settled: counters.settled(number),
    declined: counters.declined(number),
  }));
}

/** The sequences at which a sample needs the journal's totals. */
export function sequencesOf({ before, at, after }: CounterSample): readonly number[] {
  return [...new Set([before, at, after])];
}

/**
 * Names every counter that lies outside its bounds. True when the journal stood still around the sample, so that the
 * bounds were exact.
 */
export function compareCounters(
  sample: CounterSample,
  totals: readonly TotalsAt[],
  findings: Findings,
): boolean {
  const at = (sequence: number, number: number): RoundSums =>
    sumsOf(totals.find((one) => one.sequence === sequence)?.rounds.find((round) => round.number === number));
  for (const round of sample.rounds) {
    const [before, now, after] = [sample.before, sample.at, sample.after].map((sequence) =>
      at(sequence, round.number),
    );
    const low: Counted = {
      admitted: now!.admitted,
      investors: now!.investors,
      settled: before!.settled,
      declined: before!.declined,
    };
    const high: Counted = {
      admitted: now!.admitted + (after!.accepted - now!.accepted) + (now!.declined - before!.declined),
      investors:
        now!.investors +
        (after!.acceptedCount - now!.acceptedCount) +
        (now!.declinedCount - before!.declinedCount),
      settled: now!.settled,
      declined: now!.declined,
    };
    for (const name of COUNTED) {
      if (round[name] >= low[name] && round[name] <= high[name]) continue;
      const is = low[name] === high[name] ? `${low[name]}` : `${low[name]} to ${high[name]}`;
      const detail = `${round.id}: ${name} is ${round[name]} in memory, and ${is} in the journal up to sequence ${sample.at}`;
      findings.add({ kind: 'counters-differ', round: round.id, detail });
    }
  }
  return sample.before === sample.after;
}

interface RoundSums extends Counted {
  /** All that was ever accepted, and how often. */
  readonly accepted: number;
  readonly acceptedCount: number;
  readonly declinedCount: number;
}

function sumsOf(totals: RoundTotals | undefined): RoundSums {
  if (totals === undefined) {
    return {
      admitted: 0,
      investors: 0,
      settled: 0,
      declined: 0,
      accepted: 0,
      acceptedCount: 0,
      declinedCount: 0,
    };
  }
  const { admitted, investors, settled, declined, declinedCount, verdicts } = totals;
  const accepted = admitted + declined;
  return {
    admitted,
    investors,
    settled,
    declined,
    accepted,
    acceptedCount: verdicts.accepted,
    declinedCount,
  };
}
