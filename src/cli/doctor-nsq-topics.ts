// What `openbell doctor` says of the topics: what waits in them and who takes it, and what was put aside.

import { TOPICS } from '../core/messages.js';
import { CHANNELS } from '../engines/bus-of.js';
import { deadTopic } from '../engines/dead-letters.js';
import { type NsqView, type TopicView, topicSum, topicsOf } from '../engines/nsq/nsq-view.js';
import { bad, doubtful, type Finding, good } from './doctor-finding.js';

/** Who of us takes a topic's messages. */
const TAKEN_BY = [
  [TOPICS.investments, CHANNELS.ledger],
  [TOPICS.outcomes, CHANNELS.edge],
  [TOPICS.balances, CHANNELS.edge],
] as const;

/** Nothing while no nsqd has told its depth. */
export function topicFindings(view: NsqView): Finding[] {
  if (view.nsqds.length === 0) return [];
  return [
    ...TAKEN_BY.map(([topic, channel]) => takenFinding(view, topic, channel)),
    ...unheardEvents(view),
    ...TAKEN_BY.map(([topic]) => deadFinding(view, deadTopic(topic))).filter((finding) => finding !== null),
  ];
}

function takenFinding(view: NsqView, name: string, channel: string): Finding {
  const topics = topicsOf(view.nsqds, name);
  if (topics.length === 0) return good('topic', `${name} will be made with its first message`);
  const { waiting, inFlight, deferred } = topicSum(view.nsqds, name);
  const depth = `${name}: ${waiting} wait, ${inFlight} in flight, ${deferred} put off`;
  if (topics.some((topic) => isPaused(topic, channel))) {
    const fix = `unpause it: POST /topic/unpause?topic=${name} and /channel/unpause?topic=${name}&channel=${channel} at nsqd`;
    return bad('topic', `${depth}; it is paused`, fix);
  }
  const strangers = new Set(topics.flatMap(({ channels }) => channels.map((one) => one.name)));
  const isChannel = strangers.delete(channel);
  const takers = topics.flatMap(({ channels }) => channels).filter((one) => one.name === channel);
  const clients = takers.reduce((sum, one) => sum + one.clients, 0);
  if (clients === 0 && waiting > 0) {
    const who = isChannel ? `nobody takes them (channel ${channel})` : `channel ${channel} is not made yet`;
    return doubtful('topic', `${depth}; ${who}`, `start "openbell ${channel}"`);
  }
  if (strangers.size > 0) {
    const detail = `${depth}; besides ${channel} there is channel ${[...strangers].join(', ')}, which gets every message as well`;
    return doubtful('topic', detail, 'delete the channel if nobody reads it: its messages pile up');
  }
  return good('topic', `${depth}; channel ${channel}, ${clients} consumers`);
}

const isPaused = ({ paused, channels }: TopicView, channel: string): boolean =>
  paused || channels.some((one) => one.name === channel && one.paused);

/** Events are for others: without a channel of theirs they pile up in the topic. */
function unheardEvents(view: NsqView): Finding[] {
  const topics = topicsOf(view.nsqds, TOPICS.events);
  if (topics.length === 0) return [good('topic', `${TOPICS.events} will be made with its first message`)];
  const channels = new Set(topics.flatMap((topic) => topic.channels.map((one) => one.name)));
  const { waiting } = topicSum(view.nsqds, TOPICS.events);
  const detail = `${TOPICS.events}: ${waiting} wait, channels: ${[...channels].join(', ') || 'none'}`;
  if (channels.size > 0 || waiting === 0) return [good('topic', detail)];
  return [
    doubtful(
      'topic',
      detail,
      'make a channel for who reads them, or "POST /topic/empty" at nsqd: they fill its disk',
    ),
  ];
}

function deadFinding(view: NsqView, name: string): Finding | null {
  const { waiting, inFlight, deferred } = topicSum(view.nsqds, name);
  const count = waiting + inFlight + deferred;
  if (count === 0) return null;
  const fix = `read them with "nsq_tail -topic=${name}" or a consumer of your own: each says why; README, "Over NSQ"`;
  return doubtful('dead letters', `${name}: ${count} messages were put aside`, fix);
}
