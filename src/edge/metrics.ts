// GET /metrics: the families of metric-families.ts and those of the process, as Prometheus text.
//
// The numbers live in shared memory, where other threads count. They are read when somebody asks, so a metric costs
// nothing until then; prom-client only renders.

import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { assert } from '../core/assert.js';
import { type BucketCounts, FAMILIES, type Family, type MetricsSources } from './metric-families.js';

interface RenderedSample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

export class Metrics {
  readonly contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #sources: MetricsSources;
  readonly #process = new Registry();

  constructor(sources: MetricsSources) {
    this.#sources = sources;
    collectDefaultMetrics({ register: this.#process });
  }

  /** All metrics as of now, in the text format 0.0.4. */
  async render(): Promise<string> {
    const own = AggregatorRegistry.aggregate([FAMILIES.map((family) => this.#read(family))]);
    return `${await own.metrics()}\n${await this.#process.metrics()}`;
  }

  /** A family in the form of prom-client's getMetricsAsJSON. */
  #read(family: Family): object {
    const { name, help, type } = family;
    const values =
      family.type === 'histogram'
        ? bucketSamples(name, family.read(this.#sources))
        : family.read(this.#sources);
    return { name, help, type, values, aggregator: 'sum' };
  }
}

/** A Prometheus histogram: cumulative buckets up to +Inf, then sum and count. */
function bucketSamples(name: string, { upperBounds, counts, sum }: BucketCounts): RenderedSample[] {
  assert(counts.length === upperBounds.length + 1, () => `${name} needs one count more than bounds`);
  let below = 0;
  const samples: RenderedSample[] = counts.map((count, bucket) => {
    below += count;
    return { metricName: `${name}_bucket`, labels: { le: upperBounds[bucket] ?? '+Inf' }, value: below };
  });
  samples.push({ metricName: `${name}_sum`, labels: {}, value: sum });
  samples.push({ metricName: `${name}_count`, labels: {}, value: below });
  return samples;
}
