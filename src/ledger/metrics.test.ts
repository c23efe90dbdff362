// The ledger's metrics: named by the conventions, all of them there from the first scrape, listed in docs/METRICS.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LedgerMetrics } from './metrics.js';

async function scrape(): Promise<string> {
  const metrics = new LedgerMetrics();
  metrics.watch({
    backlog: () => 1,
    lagS: () => 2,
    balancesQueued: async () => 3,
    quarantined: () => 18,
    bus: {
      connected: true,
      counts: {
        publishes: { ok: 4, unreachable: 5, timeout: 6, overloaded: 7, 'bad-size': 8, closed: 9 },
        reconnects: 10,
        outstanding: 11,
        inFlight: 12,
      },
    },
    deadLetters: { counts: { unreadable: 13, conflict: 14, unknown: 15, attempts: 16 }, lost: 17 },
  });
  metrics.stop();
  // Counts that others keep are told as they are, also the second time.
  await metrics.text();
  return (await metrics.text()).body;
}

test('what other parts count is told as it is', async () => {
  const lines = (await scrape()).split('\n');
  for (const line of [
    'openbell_ledger_backlog 1',
    'openbell_ledger_quarantined_investments 18',
    'openbell_ledger_bus_connected 1',
    'openbell_ledger_bus_publishes_total{result="timeout"} 6',
    'openbell_ledger_bus_reconnects_total 10',
    'openbell_ledger_bus_outstanding_messages 11',
    'openbell_ledger_bus_in_flight_messages 12',
    'openbell_ledger_dead_letters_total{reason="conflict"} 14',
    'openbell_ledger_dead_letters_lost_total 17',
  ]) {
    assert.ok(lines.includes(line), line);
  }
});

test('docs/METRICS.md lists exactly these metrics', async () => {
  const text = await scrape();
  const helps = new Map(
    [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [name, help]),
  );
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (.*)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  const [, document = ''] = readFileSync(new URL('../../../docs/METRICS.md', import.meta.url), 'utf8').split(
    '## The ledger',
  );
  const rows = [
    ...document.matchAll(/^\| `(openbell_ledger_[a-z0-9_]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$/gm),
  ];
  assert.deepEqual(rows.map((row) => row[1]).toSorted(), [...helps.keys()].toSorted());
  for (const [, name = '', type, , help] of rows) {
    assert.deepEqual([types.get(name), helps.get(name)], [type, help], name);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
  }
});
