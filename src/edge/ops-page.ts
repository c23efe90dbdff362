// GET / of the admin port: one static page that polls /admin/v1/status. No assets from elsewhere, no personal data.
// Text enters the page as text only: a round's name is whatever an operator typed.

/** Nothing but the page itself and this host. */
export const OPS_PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const STYLE = `
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --ink: #17202b; --soft: #66707d; --line: #dfe3e8;
  --good: #0a7d4b; --bad: #b3261e; --warn: #9a6700; --bar: #b9dcca; }
@media (prefers-color-scheme: dark) { :root { --bg: #11161c; --card: #1a212a; --ink: #e6eaef; --soft: #97a3b0;
  --line: #2c3641; --good: #4cc38a; --bad: #ff8a80; --warn: #e3b341; --bar: #24573f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main, header { max-width: 72rem; margin: 0 auto; padding: 1rem; }
header { display: flex; align-items: baseline; gap: .8rem; flex-wrap: wrap; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 0 0 .5rem; }
.soft { color: var(--soft); } .grow { flex: 1; }
.pill { border-radius: 1rem; padding: .1rem .7rem; font-weight: 600; color: var(--card); background: var(--soft); }
.pill.good { background: var(--good); } .pill.bad { background: var(--bad); } .pill.warn { background: var(--warn); }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); margin-bottom: 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1rem; }
.wide { margin-bottom: 1rem; }
.figure { font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.bar { position: relative; height: .8rem; border-radius: .4rem; background: var(--line); overflow: hidden; margin: .5rem 0; }
.bar i { position: absolute; inset: 0 auto 0 0; background: var(--bar); } .bar i + i { background: var(--good); }
.row { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .15rem .4rem; border-bottom: 1px solid var(--line); font-weight: 400; }
th { color: var(--soft); } td:first-child, th:first-child { text-align: left; }
svg { width: 100%; height: 4rem; display: block; } polyline { fill: none; stroke: var(--good); stroke-width: 1.5; }
.stale { opacity: .45; }
`;

const SCRIPT = `
'use strict';
const POLL_MS = 1000, HISTORY = 180;
const history = [];
const at = (id) => document.getElementById(id);
const count = new Intl.NumberFormat('en');
const element = (tag, className, text) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};
const money = (minor, currency) => {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency });
  return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
};
const seconds = (value) => value < 60 ? value.toFixed(1) + ' s' : Math.round(value / 60) + ' min';
const percent = (part, whole) => Math.min(100, 100 * part / whole).toFixed(2) + '%';
const table = (head, rows) => {
  const made = element('table');
  for (const [cells, tag] of [[head, 'th'], ...rows.map((row) => [row, 'td'])]) {
    const line = element('tr');
    for (const cell of cells) line.append(element(tag, '', String(cell)));
    made.append(line);
  }
  return made;
};
const bar = (round) => {
  const made = element('div', 'bar');
  for (const part of [round.admitted, round.settled]) {
    const fill = element('i');
    fill.style.width = percent(part, round.cap);
    made.append(fill);
  }
  made.title = 'light: admitted, dark: settled';
  return made;
};
const tone = { open: 'good', full: 'warn', paused: 'warn' };
const roundCard = (round) => {
  const card = element('div', 'card wide');
  const head = element('div', 'row');
  head.append(element('h2', '', round.name), element('span', 'soft', round.id),
    element('span', 'pill ' + (tone[round.state] || ''), round.state), element('span', 'grow'),
    element('span', 'soft', percent(round.admitted, round.cap) + ' admitted'));
  const foot = element('div', 'row soft');
  for (const text of [
    'admitted ' + money(round.admitted, round.currency) + ' of ' + money(round.cap, round.currency),
    'settled ' + money(round.settled, round.currency),
    'remaining ' + money(round.remaining, round.currency),
    count.format(round.investors) + ' investors',
    round.opensAt ? 'opens ' + round.opensAt : '',
    round.closesAt ? 'closes ' + round.closesAt : '',
  ]) if (text) foot.append(element('span', '', text));
  card.append(head, bar(round), foot);
  return card;
};
const figures = (status) => [
  ['accepted per second', count.format(status.rates.acceptedPerS)],
  ['decisions per second', count.format(status.rates.decisionsPerS)],
  ['requests in flight', count.format(status.queues.requestsInFlight)],
  ['connections', count.format(status.connections.http) + ' http, ' + count.format(status.connections.live) + ' live'],
  ['waiting for the ledger', count.format(status.outbox.depth)],
  ['oldest of them', seconds(status.outbox.oldestAgeS)],
].map(([name, value]) => {
  const card = element('div', 'card');
  card.append(element('div', 'soft', name), element('div', 'figure', value));
  return card;
});
const curve = () => {
  const top = Math.max(1, ...history);
  at('curve').setAttribute('points', history.map((value, i) =>
    (100 * i / (HISTORY - 1)).toFixed(2) + ',' + (40 - 38 * value / top).toFixed(2)).join(' '));
  at('top').textContent = 'accepted per second, last ' + HISTORY + ' s, top ' + count.format(top);
};
const show = (status) => {
  at('state').className = 'pill ' + (status.ready ? 'good' : 'bad');
  at('state').textContent = status.ready ? 'ready' : 'not ready';
  at('version').textContent = 'openbell ' + status.version;
  at('time').textContent = status.serverTime;
  at('parts').replaceChildren(...status.parts.filter((part) => !part.ready).map((part) =>
    element('div', 'card wide', part.name + ': ' + (part.detail || 'not ready'))));
  at('rounds').replaceChildren(...status.rounds.map(roundCard));
  if (status.rounds.length === 0) at('rounds').append(element('div', 'card wide soft', 'There is no round yet.'));
  at('figures').replaceChildren(...figures(status));
  history.push(status.rates.acceptedPerS);
  if (history.length > HISTORY) history.shift();
  curve();
  at('verdicts').replaceChildren(table(['verdict since the start', 'count'],
    Object.entries(status.verdicts).sort((a, b) => b[1] - a[1]).map(([name, value]) => [name, count.format(value)])));
  at('shards').replaceChildren(table(['shard', 'queued', 'batches in flight', 'rows not indexed'],
    status.queues.shards.map((shard) => [shard.shard, shard.queuedRequests, shard.batchesInFlight,
      count.format(shard.recentRows)])));
  const { journal, watermark } = status;
  at('durable').replaceChildren(table(['what is durable', 'sequence', ''], [
    ['journal', count.format(journal.sequence), ''],
    ['index', count.format(journal.indexedSequence),
      count.format(Math.max(0, journal.sequence - journal.indexedSequence)) + ' behind'],
    watermark ? ['watermark', count.format(watermark.sequence), seconds(watermark.ageS) + ' old']
      : ['watermark', 'none yet', ''],
    ['ledger', '', seconds(status.ledgerLagS) + ' from yes to outcome'],
  ]));
};
const poll = async () => {
  try {
    const answer = await fetch('/admin/v1/status', { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error('status ' + answer.status);
    show(await answer.json());
    document.querySelector('main').className = '';
  } catch (error) {
    at('state').className = 'pill bad';
    at('state').textContent = 'no answer';
    document.querySelector('main').className = 'stale';
  }
  setTimeout(poll, POLL_MS);
};
poll();
`;

export const OPS_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>openbell</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header><h1>openbell</h1><span id="state" class="pill">asking</span><span class="grow"></span>
<span id="version" class="soft"></span><span id="time" class="soft"></span></header>
<main>
<div id="parts"></div>
<div id="rounds"></div>
<div id="figures" class="grid"></div>
<div class="card wide"><div id="top" class="soft"></div>
<svg viewBox="0 0 100 40" preserveAspectRatio="none"><polyline id="curve" vector-effect="non-scaling-stroke"/></svg></div>
<div class="grid"><div class="card" id="verdicts"></div><div class="card" id="durable"></div></div>
<div class="card wide" id="shards"></div>
<p class="soft">Raw: <a href="/metrics">/metrics</a> <a href="/readyz">/readyz</a>
<a href="/admin/v1/status">/admin/v1/status</a>. Polled each second; grey means that the last answer is old.</p>
<noscript>This page needs JavaScript; /admin/v1/status says the same as JSON.</noscript>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
