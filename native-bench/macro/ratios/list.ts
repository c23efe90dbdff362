// Every ratio that `npm run bench` measures.

import { BESIDE_PEERS } from './beside-peers.js';
import { BYTES_WRITTEN } from './bytes-written.js';
import { CHEAP_ANSWERS } from './cheap-answers.js';
import { IDLE_LATENCY } from './idle-latency.js';
import { MANY_KNOWN } from './many-known.js';
import { MEMORY } from './memory.js';
import { OPEN_LOOP_RATE } from './open-loop-rate.js';
import type { Ratio } from './ratio.js';
import { START_TIME } from './start-time.js';
import { STEADY_CPU } from './steady-cpu.js';
import { THROUGHPUT } from './throughput.js';
import { WEBSOCKET } from './websocket.js';

export const RATIOS: readonly Ratio[] = [
  THROUGHPUT,
  WEBSOCKET,
  IDLE_LATENCY,
  OPEN_LOOP_RATE,
  BESIDE_PEERS,
  CHEAP_ANSWERS,
  MANY_KNOWN,
  MEMORY,
  START_TIME,
  BYTES_WRITTEN,
  STEADY_CPU,
];
