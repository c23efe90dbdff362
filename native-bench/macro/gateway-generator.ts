// A gateway as a process of its own: WebSocket connections on which each message is of another investor, with a token of its
// own. Frames are made before the load, so that in it there is little to do but to write, and to look at each verdict.
// Run as `node gateway-generator.js '<GatewayOptions as JSON>'`; prints a GatewayReport as one line of JSON.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { packMsgpack } from '../../src/core/msgpack.js';
import { encodeFrame, FrameDecoder, OPCODE } from '../../src/rush/ws-frame.js';
import type { GatewayOptions, GatewayReport } from './gateway.js';
import { recordToken, requestKey } from './request-file.js';

/** What comes before the status in a verdict with a key of this length: type, verdict, key, status. */
const KEY_BYTES = requestKey('', 0).length;
const STATUS_AT = 1 + 5 + 8 + 4 + 1 + KEY_BYTES + 7;
const VERDICT_AT = 7;
/** The first letter: the other message of seven letters is `welcome`. */
const VERDICT_LETTER = 0x76;
const CREATED = [0xcc, 201] as const;
const DRAIN_MS = 10_000;

const options = JSON.parse(process.argv[2] ?? '{}') as GatewayOptions;
const { port, round, connections, inFlight, messages, seconds, request } = options;

function message(index: number): Buffer {
  const { amount, label } = request;
  const key = requestKey(label, index);
  const token = recordToken(request, index);
  return encodeFrame(OPCODE.binary, packMsgpack({ type: 'invest', key, amount, currency: 'GBP', token }));
}

/** All frames have one length, so that any run of them is one write. */
const frameBytes = message(0).length;
const frames = Buffer.allocUnsafe(frameBytes * messages);
for (let i = 0; i < messages; i++) {
  const frame = message(i);
  if (frame.length !== frameBytes) throw new Error(`message ${i} has another length`);
  frame.copy(frames, i * frameBytes);
}
/** The next message, of whichever connection has room. */
let next = 0;

let created = 0;
let refused = 0;
let sent = 0;
let isOver = false;
let ranOut = false;
let lost = 0;

async function open(): Promise<() => void> {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true });
  await once(socket, 'connect');
  socket.write(
    `GET /v1/rounds/${round}/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
      'Sec-WebSocket-Protocol: openbell.v1+msgpack\r\n\r\n',
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  const headEnd = answer.indexOf('\r\n\r\n') + 4;
  if (!answer.latin1Slice(0, 12).startsWith('HTTP/1.1 101') || headEnd < 4) throw new Error('no handshake');
  const send = (count: number): void => {
    const until = Math.min(next + count, messages);
    if (until < next + count) ranOut = true;
    if (until === next) return;
    socket.write(frames.subarray(next * frameBytes, until * frameBytes));
    sent += until - next;
    next = until;
  };
  const decoder = new FrameDecoder();
  let verdicts = 0;
  const onFrame = (opcode: number, payload: Buffer): void => {
    if (opcode === OPCODE.ping) socket.write(encodeFrame(OPCODE.pong, payload));
    if (opcode !== OPCODE.binary || payload[VERDICT_AT] !== VERDICT_LETTER) return;
    verdicts++;
    if (payload[STATUS_AT] === CREATED[0] && payload[STATUS_AT + 1] === CREATED[1]) created++;
    else refused++;
  };
  const read = (chunk: Buffer): void => {
    verdicts = 0;
    if (!decoder.push(chunk, onFrame)) throw new Error('malformed frame');
    if (verdicts > 0 && !isOver) send(verdicts);
  };
  socket.on('data', read);
  socket.on('close', () => {
    if (!isOver || created + refused < sent) lost++;
  });
  if (answer.length > headEnd) read(answer.subarray(headEnd));
  return () => send(inFlight);
}

const starts = await Promise.all(Array.from({ length: connections }, () => open()));
const cpuBefore = process.cpuUsage();
const startMs = performance.now();
for (const start of starts) start();
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
const durationS = (performance.now() - startMs) / 1_000;
const endedAtMs = Date.now();
const cpu = process.cpuUsage(cpuBefore);
const inTime = created;
isOver = true;
const deadline = performance.now() + DRAIN_MS;
while (created + refused < sent && performance.now() < deadline)
  await new Promise((resolve) => setTimeout(resolve, 20));
const report: GatewayReport = {
  ...{ inTime, created, refused, sent, ranOut, lost, durationS, endedAtMs },
  cpuS: (cpu.user + cpu.system) / 1e6,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
