// Investment ids: `<journal id>-<sequence in base 36>`. The journal's id keeps investments of two journals apart in a
// ledger that outlives them; the sequence finds the row.

const ID_PATTERN = /^([a-z0-9]{8})-([0-9a-z]{1,11})$/;

export function investmentId(journalId: string, sequence: number): string {
  return `${journalId}-${sequence.toString(36)}`;
}

/** The sequence that `id` names in this journal, or 0 when it names none. */
export function sequenceOfId(journalId: string, id: string): number {
  const match = ID_PATTERN.exec(id);
  if (match === null || match[1] !== journalId) return 0;
  const sequence = Number.parseInt(match[2] ?? '', 36);
  return Number.isSafeInteger(sequence) && investmentId(journalId, sequence) === id ? sequence : 0;
}
