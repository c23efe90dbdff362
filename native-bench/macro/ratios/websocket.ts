// R3: admissions over WebSocket, as a gateway sends them, beside a constant HTTP reply.

import { requestOptions } from '../bench-context.js';
import { type CpuUse, cpuUse, readCpuTimes } from '../cpu-time.js';
import { type GatewayReport, runGateway } from '../gateway.js';
import { cpuUsOf, loadBlock, ratioOf, toAndFro } from '../load-block.js';
import { median } from '../report.js';
import { type Bench, type Measured, type Ratio, ROUND } from './ratio.js';

const TARGET = 1.5;
const WARM_UP_S = 1;

interface Block {
  readonly perSecond: number;
  /** Of the server, in microseconds an answer. */
  readonly cpuUs: number;
  readonly cpu: CpuUse | null;
  readonly report: GatewayReport | null;
}

function check(report: GatewayReport, admitted: number): void {
  const { sent, created, refused, lost, ranOut } = report;
  if (ranOut) throw new Error('too few messages: there was nothing more to send');
  if (created !== sent || refused > 0 || lost > 0)
    throw new Error(
      `${sent} messages: ${created} verdicts of 201, ${refused} others, ${lost} connections lost`,
    );
  if (admitted !== created) throw new Error(`${created} verdicts of 201, but the node counts ${admitted}`);
}

async function measure(bench: Bench): Promise<Measured> {
  const { rounds, seconds, gateway, loadConnections } = bench.sizes;
  const { connections, inFlight, perSecondMax } = gateway;
  const constant = await bench.constant();
  const edge = await bench.edge('websocket');
  let blocks = 0;
  const gatewayBlock = async (forSeconds: number): Promise<Block> => {
    const counted = await edge.counts();
    const before = readCpuTimes(edge.pid);
    const messages = forSeconds * perSecondMax;
    const report = await runGateway({
      ...{ port: edge.port, round: ROUND, connections, inFlight },
      ...{ messages, seconds: forSeconds },
      request: { ...requestOptions(''), records: messages, label: `ws${blocks++}` },
    });
    const cpu = cpuUse(edge.pid, before, readCpuTimes(edge.pid));
    await edge.caughtUp();
    check(report, (await edge.counts()).admitted - counted.admitted);
    const cpuUs = (cpu.totalS * 1e6) / report.created;
    return { perSecond: report.inTime / report.durationS, cpuUs, cpu, report };
  };
  const constantBlock = async (): Promise<Block> => {
    const block = await loadBlock(constant, {
      ...bench.requests(),
      ...{ connections: loadConnections, seconds, firstRecord: 0 },
    });
    return { perSecond: block.perSecond, cpuUs: cpuUsOf(block), cpu: null, report: null };
  };
  try {
    await gatewayBlock(WARM_UP_S);
    await constantBlock();
    const pairs = await toAndFro(rounds, () => gatewayBlock(seconds), constantBlock);
    const ratio = ratioOf(pairs, ({ perSecond }) => perSecond);
    const cpu = ratioOf(pairs, ({ cpuUs }) => cpuUs);
    const own = pairs.flatMap(({ a }) => a);
    const perMessageUs = (seconds_: (block: Block) => number): string =>
      median(own.map((block) => (seconds_(block) * 1e6) / (block.report?.created ?? 1))).toFixed(1);
    return {
      reached: [
        {
          ...{ id: 'R3', what: 'WebSocket admissions/s ÷ constant replies/s' },
          ...{ value: ratio.median, low: ratio.min, high: ratio.max },
          target: { is: 'at least', value: TARGET },
        },
      ],
      detail: { pairs },
      notes: [
        `R3: ${median(own.map(({ perSecond }) => perSecond)).toFixed(0)} admissions/s; CPU of the edge ${median(own.map(({ cpuUs }) => cpuUs)).toFixed(1)} µs an admission, ${cpu.median.toFixed(2)} times that of a constant HTTP reply (main thread ${perMessageUs(({ cpu }) => cpu?.mainS ?? 0)} µs), of the generator ${perMessageUs(({ report }) => report?.cpuS ?? 0)} µs.`,
      ],
    };
  } finally {
    await edge.stop();
    await constant.stop();
  }
}

export const WEBSOCKET: Ratio = { ids: ['r3'], title: 'Admissions over WebSocket', measure };
