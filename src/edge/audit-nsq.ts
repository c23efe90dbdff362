// What NSQ holds, against what the outbox has published: for an audit.
//
// Messages on the way are no difference. An investment that was published, has no outcome, and of which nothing is left
// anywhere is one: some nsqd has lost it. To know that, nothing may be on the way at all, for a message says of which
// investment it is only to who takes it. And one that moves while nsqds are asked one after the other must not be
// missed, neither between two nsqds nor from one topic to the next:
//
//   P1 published, no outcome ─ every nsqd is empty, LOOKS times in a row ─ P2 the same, not published again
//
// A message moves to the outcomes once, and then its outcome is journaled. So one that the first look has missed on its
// move is seen by the next, or is not in P2 any more.

import { TOPICS } from '../core/messages.js';
import { deadTopic } from '../engines/dead-letters.js';
import { type NsqView, topicSum } from '../engines/nsq/nsq-view.js';
import type { Findings } from '../workers/audit-findings.js';

export interface NsqSources {
  /** What all nsqds hold now. */
  readonly look: () => Promise<NsqView>;
  /** How often NSQ has taken charge of each investment that has no outcome and is not being published, by its id. */
  readonly published: () => ReadonlyMap<string, number>;
}

/** What was looked at, for the report. */
export interface NsqCourse {
  readonly view: NsqView;
  /** Investments that NSQ has taken charge of and that have no outcome. */
  readonly published: number;
}

/** Times that every nsqd must be found empty before an investment without an outcome is called lost. */
const LOOKS = 3;
const OURS = [TOPICS.investments, TOPICS.outcomes, TOPICS.balances];

/** @param quarantined investments that the ledger takes from NSQ and does not try: nothing has lost them */
export async function readNsq(
  { look, published }: NsqSources,
  quarantined: readonly string[],
  findings: Findings,
): Promise<NsqCourse> {
  const before = published();
  const view = await look();
  for (const topic of OURS) noteDeadLetters(view, deadTopic(topic), findings);
  let isEmpty = isWhole(view) && onTheWay(view) === 0;
  for (let looks = 1; looks < LOOKS && isEmpty && before.size > 0; looks++) {
    const again = await look();
    isEmpty = isWhole(again) && onTheWay(again) === 0;
  }
  if (isEmpty) {
    const after = published();
    for (const [investment, times] of before) {
      if (after.get(investment) !== times || quarantined.includes(investment)) continue;
      const detail = `it was published ${times === 1 ? 'once' : `${times} times`}, NSQ holds nothing of it, and there is no outcome; "openbell replay" publishes it again at once, the node by itself in its time`;
      findings.add({ kind: 'nsq-lost', investment, detail });
    }
  }
  return { view, published: before.size };
}

/** What the report says of it. */
export function describeNsq({ view }: NsqCourse): string {
  const depths = OURS.map((topic) => `${onTheWay(view, [topic])} ${topic.replace('openbell.', '')}`);
  const unknown =
    view.unknown.length === 0
      ? ''
      : `; not read, for nobody says where its HTTP port is (OPENBELL_NSQD_HTTP): ${view.unknown.join(', ')}`;
  const unread = view.unread.map(({ place, reason }) => `; ${place}: ${reason}`).join('');
  return `${depths.join(', ')} on the way at ${view.nsqds.length} nsqds${unknown}${unread}`;
}

/** True when everything that there is was read. */
const isWhole = ({ nsqds, unread, unknown }: NsqView): boolean =>
  nsqds.length > 0 && unread.length === 0 && unknown.length === 0;

function onTheWay(
  { nsqds }: NsqView,
  topics: readonly string[] = [TOPICS.investments, TOPICS.outcomes],
): number {
  return topics.reduce((sum, topic) => {
    const { waiting, inFlight, deferred } = topicSum(nsqds, topic);
    return sum + waiting + inFlight + deferred;
  }, 0);
}

function noteDeadLetters(view: NsqView, topic: string, findings: Findings): void {
  const count = onTheWay(view, [topic]);
  if (count === 0) return;
  const detail = `${topic} holds ${count} messages that were put aside: read them, each says why, and empty the topic`;
  findings.add({ kind: 'nsq-dead-letters', detail });
}
