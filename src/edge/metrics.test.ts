// Metrics: rendered as Prometheus reads them, named by its conventions, listed in docs/METRICS.md.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fakeMetricsSources } from './fake-metrics-sources.js';
import { FAMILIES } from './metric-families.js';
import { Metrics } from './metrics.js';

async function lines(changes: Parameters<typeof fakeMetricsSources>[0] = {}): Promise<string[]> {
  return (await new Metrics(fakeMetricsSources(changes)).render()).split('\n');
}

test('each family is rendered with its help, type and samples', async () => {
  const text = await lines();
  for (const { name, help, type } of FAMILIES) {
    assert.ok(text.includes(`# HELP ${name} ${help}`), name);
    assert.ok(text.includes(`# TYPE ${name} ${type}`), name);
  }
  for (const line of [
    `openbell_build_info{version="0.1.0",node="${process.version}"} 1`,
    'openbell_ready 1',
    'openbell_recovery_seconds 0.25',
    'openbell_admissions_total{verdict="accepted"} 10',
    'openbell_admissions_total{verdict="round-full"} 4',
    'openbell_replays_total 2',
    'openbell_http_responses_total{status="409"} 4',
    'openbell_shard_queue_requests{shard="1"} 6',
    'openbell_shard_batches_in_flight{shard="0"} 1',
    'openbell_requests_in_flight 12',
    'openbell_connections{kind="live"} 9',
    'openbell_round_cap_minor_units{round="crowd",currency="GBP"} 2000000000',
    'openbell_round_admitted_minor_units{round="crowd",currency="GBP"} 150000',
    'openbell_round_settled_minor_units{round="crowd",currency="GBP"} 50000',
    'openbell_round_investors{round="crowd"} 3',
    'openbell_round_state{round="crowd",state="open"} 1',
    'openbell_round_state{round="crowd",state="closed"} 0',
    'openbell_outbox_investments 7',
    'openbell_outbox_oldest_age_seconds 1.5',
    'openbell_bus_connected 1',
    'openbell_bus_publishes_total{result="bad-size"} 25',
    'openbell_bus_reconnects_total 27',
    'openbell_bus_outstanding_messages 28',
    'openbell_bus_in_flight_messages 29',
    'openbell_outbox_republished_total 31',
    'openbell_dead_letters_total{reason="conflict"} 33',
    'openbell_dead_letters_lost_total 36',
    'openbell_events_published_total 37',
    'openbell_events_lag_rows 38',
    'openbell_ledger_lag_seconds 0.75',
    'openbell_journal_sequence 77',
    'openbell_index_lag_rows 7',
    'openbell_watermark_sequence 76',
    'openbell_watermark_failures_total 3',
    'openbell_epoch 7',
    'openbell_lease_remaining_seconds 6.5',
    'openbell_lease_keepalives_total{result="failed"} 4',
    'openbell_standby 0',
    'openbell_event_loop_delay_p99_seconds{thread="shard-0"} 0.005',
  ]) {
    assert.ok(text.includes(line), line);
  }
});

test('buckets are cumulative and end with +Inf, sum and count', async () => {
  const text = await lines();
  assert.deepEqual(
    text.filter((line) => line.startsWith('openbell_batch_size_requests')),
    [
      'openbell_batch_size_requests_bucket{le="1"} 1',
      'openbell_batch_size_requests_bucket{le="10"} 3',
      'openbell_batch_size_requests_bucket{le="100"} 6',
      'openbell_batch_size_requests_bucket{le="+Inf"} 10',
      'openbell_batch_size_requests_sum 900',
      'openbell_batch_size_requests_count 10',
    ],
  );
  assert.ok(text.includes('openbell_commit_duration_seconds_bucket{le="0.0001"} 5'));
  assert.ok(text.includes('openbell_commit_duration_seconds_sum 0.25'));
});

test('what is not known yet is absent, not zero', async () => {
  const text = await lines({
    recoveryS: () => null,
    watermark: () => null,
    events: () => null,
    ready: () => false,
    ownership: () => ({ epoch: 1, remainingS: null, confirmed: 0, failed: 0 }),
  });
  assert.ok(text.includes('openbell_ready 0'));
  const absent = /^openbell_(recovery|watermark_(sequence|age)|lease_remaining|events)/;
  assert.ok(!text.some((line) => absent.test(line)));
});

test('the metrics of the process are there, and every line is one of the text format', async () => {
  const text = await lines();
  assert.ok(text.some((line) => line.startsWith('process_cpu_seconds_total ')));
  assert.ok(text.some((line) => line.startsWith('process_start_time_seconds ')));
  assert.ok(text.some((line) => line.startsWith('nodejs_eventloop_lag_seconds ')));
  const sample = /^[a-z_:][a-z0-9_:]*(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (-?[0-9.e+-]+|NaN|\+Inf)$/i;
  for (const line of text) assert.ok(line === '' || line.startsWith('# ') || sample.test(line), line);
  const types = text.filter((line) => line.startsWith('# TYPE '));
  assert.equal(new Set(types).size, types.length, 'no family twice');
});

test('names follow the conventions, and docs/METRICS.md lists exactly these metrics', () => {
  for (const { name, type, help } of FAMILIES) {
    assert.match(name, /^openbell_[a-z0-9_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.ok(help.endsWith('.'), name);
  }
  const [document = ''] = readFileSync(new URL('../../../docs/METRICS.md', import.meta.url), 'utf8').split(
    '## The ledger',
  );
  const rows = [...document.matchAll(/^\| `(openbell_[a-z0-9_]+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$/gm)];
  const listed = new Map(rows.map((row) => [row[1], row]));
  assert.deepEqual([...listed.keys()].sort(), FAMILIES.map(({ name }) => name).sort());
  for (const { name, type, help } of FAMILIES) {
    assert.equal(listed.get(name)?.[2], type, name);
    assert.equal(listed.get(name)?.[4], help, name);
  }
});

test('a histogram whose counts do not fit its bounds is a programmer error', async () => {
  const metrics = new Metrics(
    fakeMetricsSources({ batchSizes: () => ({ upperBounds: [1], counts: [1], sum: 1 }) }),
  );
  await assert.rejects(metrics.render(), /one count more/);
});
