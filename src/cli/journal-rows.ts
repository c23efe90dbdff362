// A journal row as people and programs read it: one line of text, or one JSON object with RFC 3339 times.

import type { Row } from '../core/rows.js';

/** One line: sequence, time, what happened, then names and values. */
export function rowLine(row: Row): string {
  const head = `${row.sequence}\t${time(row.at)}`;
  switch (row.kind) {
    case 'verdict': {
      const extra = row.verdict === 'already-invested' ? `\tlive=${row.extra}` : '';
      const room = row.verdict === 'round-full' ? `\tremaining=${row.extra}` : '';
      const who = `round=${row.round}\tinvestor=${row.investor}\tkey=${row.key}\tamount=${row.amount}`;
      return `${head}\t${row.verdict}\t${who}${extra}${room}`;
    }
    case 'outcome': {
      const state = row.reason === null ? row.state : `${row.state}\treason=${row.reason}`;
      const who = `round=${row.round}\tinvestor=${row.investor}\tinvestment=${row.investment}\tamount=${row.amount}`;
      return `${head}\t${state}\t${who}`;
    }
    case 'lineage': {
      const journals = row.lineage.map(({ journalId, firstSequence }) => `${journalId}@${firstSequence}`);
      const lost = row.lostThrough === 0 ? '' : `\tlost=${row.sequence}..${row.lostThrough}`;
      return `${head}\trebuilt\tlineage=${journals.join(',')}${lost}`;
    }
    case 'round': {
      const { number, id, state, cap, minimum, maximum } = row.definition;
      return `${head}\tround-${row.change}\tround=${number}\tid=${id}\tstate=${state}\tcap=${cap}\tminimum=${minimum}\tmaximum=${maximum}`;
    }
  }
}

/** The row on one line of JSON. */
export function rowJson(row: Row): string {
  if (row.kind !== 'round') return JSON.stringify({ ...row, at: time(row.at) });
  const { opensAt, closesAt } = row.definition;
  const definition = { ...row.definition, opensAt: timeOrNull(opensAt), closesAt: timeOrNull(closesAt) };
  return JSON.stringify({ ...row, at: time(row.at), definition });
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : time(ms);
}
