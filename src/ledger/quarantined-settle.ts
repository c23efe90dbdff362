// The ledger's protection from an investment that it dies over, around the processor: suspects are settled alone and under
// note, and what is in quarantine is put aside before it is tried.

import { TOPICS } from '../core/messages.js';
import { ok } from '../core/result.js';
import type { Message } from '../engines/bus.js';
import type { DeadLetters } from '../engines/dead-letters.js';
import { readInvestment } from './investment-reader.js';
import type { LedgerMetrics } from './metrics.js';
import type { Quarantine } from './quarantine.js';
import type { LedgerStore, Settlement } from './store.js';

/** `settle` as the processor sees it: the same, but that suspects of a group have a transaction each. */
export function quarantinedSettle(
  inner: Pick<LedgerStore, 'settle'>,
  quarantine: Quarantine,
): Pick<LedgerStore, 'settle'> {
  const one: LedgerStore['settle'] = async (group) => {
    const ids = group.map(({ id }) => id);
    quarantine.begin(ids);
    const settled = await inner.settle(group);
    if (!settled.ok && settled.error.isDefect === true) quarantine.defect();
    quarantine.end();
    if (settled.ok) quarantine.settled(ids);
    return settled;
  };
  return {
    settle: async (group) => {
      if (group.length === 1 || !group.some(({ id }) => quarantine.isSuspect(id))) return one(group);
      const settlements: Settlement[] = [];
      let from = 0;
      while (from < group.length) {
        const at = group.findIndex(({ id }, place) => place >= from && quarantine.isSuspect(id));
        const to = at === from ? from + 1 : at < 0 ? group.length : at;
        const settled = await one(group.slice(from, to));
        // What was settled before it comes again, and gets the same outcome.
        if (!settled.ok) return settled;
        settlements.push(...settled.value);
        from = to;
      }
      return ok(settlements);
    },
  };
}

export interface QuarantineGate {
  readonly quarantine: Quarantine;
  readonly deadLetters: DeadLetters;
  readonly metrics: LedgerMetrics;
  /** Takes whatever is not in quarantine. */
  readonly accept: (message: Message) => void;
}

/**
 * The handler of investments. What is in quarantine is put aside once, and after that only finished: the edge
 * publishes it again and again, more and more rarely, for it has no outcome.
 */
export function quarantineGate({
  quarantine,
  deadLetters,
  metrics,
  accept,
}: QuarantineGate): (message: Message) => void {
  return (message) => {
    const read = quarantine.size === 0 ? null : readInvestment(message.body);
    const found = read?.ok === true ? quarantine.find(read.value.id) : undefined;
    if (found === undefined) {
      accept(message);
      return;
    }
    metrics.processed('quarantined');
    if (found.isTold) {
      message.finish();
      return;
    }
    const { id, deaths } = found;
    const detail = `${id}: the ledger died ${deaths} times while it settled this investment alone`;
    void deadLetters.buried(TOPICS.investments, message, 'attempts', detail).then((isBuried) => {
      if (isBuried) quarantine.told(id);
    });
  };
}
