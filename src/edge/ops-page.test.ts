// The operator's page: its script runs over what /admin/v1/status says, and shows it as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { fakeMetricsSources, fakeRoundView } from './fake-metrics-sources.js';
import { OPS_PAGE } from './ops-page.js';
import { type EdgeStatus, StatusReport } from './status.js';

/** As much of an element as the page uses. */
class FakeElement {
  className = '';
  title = '';
  textContent = '';
  readonly style: Record<string, string> = {};
  readonly attributes: Record<string, string> = {};
  children: FakeElement[] = [];

  append(...more: FakeElement[]): void {
    this.children.push(...more);
  }

  replaceChildren(...now: FakeElement[]): void {
    this.children = now;
  }

  setAttribute(name: string, value: string): void {
    this.attributes[name] = value;
  }

  /** All text in it, in order. */
  text(): string {
    return [this.textContent, ...this.children.map((child) => child.text())]
      .filter((part) => part !== '')
      .join(' | ');
  }
}

interface Page {
  readonly at: (id: string) => FakeElement;
  readonly main: FakeElement;
  /** Runs the next poll to its end; the page asks for it by a timer. */
  readonly poll: () => Promise<void>;
}

async function open(
  answer: () => { ok: boolean; status: number; json: () => Promise<unknown> },
): Promise<Page> {
  const elements = new Map<string, FakeElement>();
  const main = new FakeElement();
  let next: (() => Promise<void>) | null = null;
  let polled: (() => void) | null = null;
  const at = (id: string): FakeElement => {
    const element = elements.get(id) ?? new FakeElement();
    elements.set(id, element);
    return element;
  };
  const first = new Promise<void>((resolve) => {
    polled = resolve;
  });
  const script = /<script>([\s\S]*)<\/script>/.exec(OPS_PAGE)?.[1] ?? '';
  runInNewContext(script, {
    document: { getElementById: at, createElement: () => new FakeElement(), querySelector: () => main },
    fetch: async () => answer(),
    AbortSignal,
    setTimeout: (again: () => Promise<void>) => {
      next = again;
      polled?.();
    },
  });
  await first;
  return { at, main, poll: async () => next?.() };
}

function statusOf(changes: Partial<EdgeStatus>): EdgeStatus {
  const readiness = { parts: () => [] };
  const clock = () => 0;
  const sources = fakeMetricsSources();
  return { ...new StatusReport({ sources, readiness, nowMs: clock, monotonicMs: clock }).read(), ...changes };
}

test('shows rounds, figures, queues and what is durable', async () => {
  const round = {
    ...fakeRoundView,
    name: '<b>Crowd</b>',
    state: 'full',
    closesAt: '2026-11-23T12:00:00.000Z',
  } as const;
  const rates = { decisionsPerS: 20, acceptedPerS: 12.5, responsesPerS: 30 };
  const status = statusOf({ rounds: [round], rates });
  const page = await open(() => ({ ok: true, status: 200, json: async () => status }));
  assert.equal(page.at('state').textContent, 'ready');
  for (const text of [
    '<b>Crowd</b>',
    'full',
    '3 investors',
    'closes 2026-11-23T12:00:00.000Z',
    '0.01% admitted',
  ]) {
    assert.ok(page.at('rounds').text().includes(text), `${text} in ${page.at('rounds').text()}`);
  }
  assert.match(page.at('rounds').text(), /admitted .1,500\.00 of .20,000,000\.00/);
  assert.match(page.at('figures').text(), /accepted per second \| 12\.5.*waiting for the ledger \| 7/);
  assert.match(page.at('verdicts').text(), /accepted \| 10 \| round-full \| 4/);
  assert.match(page.at('shards').text(), /1 \| 6 \| 2 \| 31/);
  assert.match(page.at('durable').text(), /journal \| 77 .*7 behind.*watermark \| 76 \| 0\.5 s old/);
  await page.poll();
  assert.equal(page.at('curve').attributes['points']?.split(' ').length, 2);
});

test('says which part is not ready, that there is no round, and that there is no watermark', async () => {
  const status = statusOf({
    ready: false,
    parts: [
      { name: 'journal', ready: true },
      { name: 'admission', ready: false, detail: 'fenced' },
    ],
    rounds: [],
    watermark: null,
  });
  const page = await open(() => ({ ok: true, status: 200, json: async () => status }));
  assert.equal(page.at('state').textContent, 'not ready');
  assert.equal(page.at('parts').text(), 'admission: fenced');
  assert.equal(page.at('rounds').text(), 'There is no round yet.');
  assert.match(page.at('durable').text(), /none yet/);
});

test('greys out what is old when there is no answer, and recovers', async () => {
  const answer = { ok: true, status: 200, json: async () => statusOf({}) };
  const page = await open(() => answer);
  answer.ok = false;
  await page.poll();
  assert.deepEqual([page.at('state').textContent, page.main.className], ['no answer', 'stale']);
  answer.ok = true;
  await page.poll();
  assert.deepEqual([page.at('state').textContent, page.main.className], ['ready', '']);
});
