// The word of the ledger on one investment of the model, or on one that never was.

import { must } from '../../src/core/assert.js';
import type { OutcomeMessage } from '../../src/core/messages.js';
import type { OutcomeCommand } from './admission-commands.js';
import type { AdmissionModel } from './admission-model.js';

/** The message that a command means; null when nothing has been decided yet. */
export function outcomeMessage(
  command: OutcomeCommand,
  model: AdmissionModel,
  idOf: (sequence: number) => string,
  nowMs: number,
): OutcomeMessage | null {
  const { settled, balance, eligible, versionStep, unknown } = command;
  const verdicts = [...model.verdicts.values()];
  const verdict = verdicts[Math.floor(command.which * verdicts.length)];
  if (verdict === undefined) return null;
  const { investor, round } = verdict;
  // One beyond the end is a row of nothing.
  const sequence = unknown ? model.nextSequence + 1_000 : verdict.sequence;
  return {
    id: idOf(sequence),
    round: must(model.rounds.get(round), 'a round').definition.id,
    investor,
    sequence,
    amount: verdict.amount + (command.otherAmount ? 1 : 0),
    currency: verdict.currency,
    state: settled ? 'settled' : 'declined',
    ...(settled ? {} : { reason: 'insufficient-funds' as const }),
    balance,
    balanceVersion: model.account(investor).version + versionStep,
    eligible,
    at: new Date(nowMs).toISOString(),
  };
}
