// The metrics of what leaves the node by the bus: publishes, deliveries, dead letters.

import type { Family, MetricsSources, Sample } from './metric-families.js';

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

const each = (label: string, counts: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));

function family(
  type: 'gauge' | 'counter',
  name: string,
  help: string,
  read: (from: MetricsSources) => readonly Sample[],
): Family {
  return { name: `openbell_${name}`, type, help, read };
}

export const BUS_FAMILIES: readonly Family[] = [
  family(
    'gauge',
    'bus_connected',
    '1 while there is somebody to publish to: the ledger, or an nsqd.',
    (from) => one(from.bus().connected ? 1 : 0),
  ),
  family('counter', 'bus_publishes_total', 'Publishes to the bus, by how they ended.', (from) =>
    each('result', from.bus().counts.publishes),
  ),
  family(
    'counter',
    'bus_reconnects_total',
    'Connections of the bus that came back after they were lost.',
    (from) => one(from.bus().counts.reconnects),
  ),
  family('gauge', 'bus_outstanding_messages', 'Messages given to the bus whose end is not known.', (from) =>
    one(from.bus().counts.outstanding),
  ),
  family('gauge', 'bus_in_flight_messages', 'Messages delivered and neither finished nor requeued.', (from) =>
    one(from.bus().counts.inFlight),
  ),
  family(
    'counter',
    'outbox_republished_total',
    'Accepted investments published again because no outcome came.',
    (from) => one(from.republished()),
  ),
  family('counter', 'dead_letters_total', 'Messages put aside, by reason.', (from) =>
    each('reason', from.deadLetters().counts),
  ),
  family('counter', 'dead_letters_lost_total', 'Of those, how many no topic holds.', (from) =>
    one(from.deadLetters().lost),
  ),
  family(
    'counter',
    'events_published_total',
    'Events published, repetitions included; absent without NSQ.',
    (from) => {
      const events = from.events();
      return events === null ? [] : one(events.published);
    },
  ),
  family(
    'gauge',
    'events_lag_rows',
    'Durable rows of the journal that are not published as events yet; absent without NSQ.',
    (from) => {
      const events = from.events();
      return events === null ? [] : one(Math.max(0, from.journal().sequence - events.sequence));
    },
  ),
];
