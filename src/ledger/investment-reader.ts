// From the bytes of a message to an investment that the books can hold, or why it is none.

import { isInvestorId } from '../core/investor.js';
import { ID_CHARS_MAX } from '../core/limits.js';
import { decodeInvestmentMessage, type InvestmentMessage } from '../core/messages.js';
import { isAmount, isCurrency } from '../core/money.js';
import { err, ok, type Result } from '../core/result.js';
import { ROUND_ID_PATTERN } from '../core/round.js';

/** The investment; the error says which member is wrong, and can be told to an operator. */
export function readInvestment(body: Uint8Array): Result<InvestmentMessage, string> {
  const read = decodeInvestmentMessage(body);
  if (!read.ok) return read;
  const { id, round, investor, amount, currency, acceptedAt } = read.value;
  if (id.length > ID_CHARS_MAX) return err('id is too long');
  if (!ROUND_ID_PATTERN.test(round)) return err('round is not a round id');
  if (!isInvestorId(investor)) return err('investor is not an investor id');
  if (!isAmount(amount)) return err('amount is not a positive amount');
  if (!isCurrency(currency)) return err('currency is not known');
  if (Number.isNaN(Date.parse(acceptedAt))) return err('acceptedAt is not a time');
  return ok(read.value);
}
