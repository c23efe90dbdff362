// Looks at the watermark in etcd and at the edge's own figures as long as the faults last: the watermark never falls and
// never exceeds what is durable (I9), and a backlog is seen where the operator would look for it.

import { EtcdClient } from '../../src/engines/etcd/etcd-client.js';
import { EtcdKeys } from '../../src/engines/etcd/etcd-keys.js';
import type { Watermark } from '../../src/engines/watermark.js';
import type { Outages } from './outages.js';

const LOOK_MS = 200;
const METRICS_TIMEOUT_MS = 1_000;
const PULSE_MS = 100;
/** A pulse that comes so late says that the machine had no time for anybody. */
const STALL_MS = 1_000;

/** The edge's metrics without labels, by name; null when it does not answer. */
export async function readMetrics(adminUrl: string): Promise<ReadonlyMap<string, number> | null> {
  try {
    const answer = await fetch(`${adminUrl}/metrics`, { signal: AbortSignal.timeout(METRICS_TIMEOUT_MS) });
    const samples = [...(await answer.text()).matchAll(/^(\w+) (\S+)$/gm)];
    return new Map(samples.map(([, name = '', value]) => [name, Number(value)]));
  } catch {
    return null; // it is down, or stands still
  }
}

export class Vigil {
  /** What was wrong with the watermark, described. */
  readonly problems: string[] = [];
  /** Watermarks that were read, and the highest epoch of them. */
  looks = 0;
  epoch = 0;
  /** The largest that was shown. */
  rowsBehind = 0;
  outbox = 0;
  readonly #client: EtcdClient;
  readonly #key: string;
  readonly #adminUrl: string;
  readonly #outages: Outages;
  #pulse: NodeJS.Timeout | undefined;
  #last: Watermark | null = null;
  #running: Promise<void> | null = null;
  #isOver = false;

  /** @param etcd host:port */
  constructor(etcd: string, cluster: string, adminUrl: string, outages: Outages) {
    this.#client = new EtcdClient({ endpoints: [etcd], tls: null, login: null });
    this.#key = new EtcdKeys(cluster).watermark;
    this.#adminUrl = adminUrl;
    this.#outages = outages;
  }

  start(): void {
    this.#running = this.#watch();
    let lastMs = performance.now();
    this.#pulse = setInterval(() => {
      const nowMs = performance.now();
      if (nowMs - lastMs > STALL_MS) this.#outages.stalled(lastMs, nowMs);
      lastMs = nowMs;
    }, PULSE_MS);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#pulse);
    await this.#running;
    this.#client.close();
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const read = await this.#client.read([{ get: this.#key }]);
      const stored = read.ok ? read.value[0]?.[0]?.value : undefined;
      if (stored !== undefined) this.#look(JSON.parse(stored) as Watermark);
      const askedMs = performance.now();
      // Read after the watermark: what is durable only grows, also over a crash.
      const metrics = await readMetrics(this.#adminUrl);
      if (metrics !== null) this.#compare(metrics);
      if ((metrics?.get('openbell_lease_remaining_seconds') ?? 0) > 0) this.#outages.sound(askedMs);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #look(watermark: Watermark): void {
    this.looks++;
    this.epoch = Math.max(this.epoch, watermark.epoch);
    const last = this.#last;
    this.#last = watermark;
    if (last === null || (watermark.epoch >= last.epoch && watermark.sequence >= last.sequence)) return;
    const told = ({ epoch, sequence }: Watermark): string => `sequence ${sequence} of epoch ${epoch}`;
    this.problems.push(`I9: the watermark fell from ${told(last)} to ${told(watermark)}`);
  }

  #compare(metrics: ReadonlyMap<string, number>): void {
    const durable = metrics.get('openbell_journal_sequence');
    const told = this.#last?.sequence ?? 0;
    if (durable !== undefined && durable < told)
      this.problems.push(`I9: the watermark said ${told}, and ${durable} is durable`);
    this.rowsBehind = Math.max(this.rowsBehind, metrics.get('openbell_rows_lag_rows') ?? 0);
    this.outbox = Math.max(this.outbox, metrics.get('openbell_outbox_investments') ?? 0);
  }
}
