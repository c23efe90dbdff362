// R4: what a verdict on disk costs a lone request: its median beside a constant's, in syncs of the same bytes.

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FRAME_ALIGN_BYTES, FRAME_HEADER_BYTES } from '../../../src/core/journal-format.js';
import { requestOptions } from '../bench-context.js';
import { LoneConnection } from '../lone-connection.js';
import { figure, median } from '../report.js';
import { record } from '../request-file.js';
import { rowBytes } from '../row-bytes.js';
import type { Bench, Measured, Ratio } from './ratio.js';

const TARGET = 3;
/** Of the file that is synced; written to its end beforehand, so that a sync writes data only. */
const FILE_BYTES = 67_108_864;
/** Blocks of each kind before those that count: the compiler has then seen all there is. */
const WARM_UPS = 2;
const DISCARD = 0.05;

/** A file as the journal's segments are: whole, with zeros. */
function preallocate(file: string): number {
  const fd = openSync(file, 'w+');
  const zeros = Buffer.alloc(1_048_576);
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(fd, zeros, 0, zeros.length, at);
  fdatasyncSync(fd);
  return fd;
}

/** Milliseconds of each. */
async function timed(count: number, one: (i: number) => Promise<void> | void): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await one(i);
    times.push(performance.now() - startMs);
  }
  // The first of a block find caches cold that the block before has filled for itself.
  return times.slice(Math.ceil(count * DISCARD));
}

async function measure(bench: Bench): Promise<Measured> {
  const { sequential, rounds } = bench.sizes;
  const options = { ...requestOptions(''), records: 1 };
  const bytes = FRAME_HEADER_BYTES + Math.ceil(rowBytes() / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES;
  const constant = await bench.constant();
  const edge = await bench.edge('idle');
  const fd = preallocate(join(bench.dir, 'synced'));
  try {
    const [edgeLine, constantLine] = await Promise.all([
      LoneConnection.open(edge.url),
      LoneConnection.open(constant.url),
    ]);
    let next = 0;
    let offset = 0;
    const payload = Buffer.alloc(bytes, 1);
    const ask = (line: LoneConnection) => async (): Promise<void> => {
      const status = await line.ask(record(options, next++));
      if (status !== 201) throw new Error(`answered ${status}`);
    };
    const sync = (): void => {
      writeSync(fd, payload, 0, bytes, offset);
      fdatasyncSync(fd);
      offset = (offset + bytes) % (FILE_BYTES - bytes);
    };
    const kinds = [ask(edgeLine), ask(constantLine), sync];
    for (let warmUp = 0; warmUp < WARM_UPS; warmUp++) for (const one of kinds) await timed(sequential, one);
    const blocks: { admissionMs: number; constantMs: number; syncMs: number }[] = [];
    for (let round = 0; round < rounds * 2; round++) {
      const order = round % 2 === 0 ? [0, 1, 2] : [2, 1, 0];
      const p50: number[] = [];
      for (const kind of order)
        p50[kind] = median(await timed(sequential, kinds[kind] as (typeof kinds)[number]));
      const [admissionMs = 0, constantMs = 0, syncMs = 0] = p50;
      blocks.push({ admissionMs, constantMs, syncMs });
    }
    edgeLine.close();
    constantLine.close();
    const spread = figure(blocks.map((each) => (each.admissionMs - each.constantMs) / each.syncMs));
    const all = (pick: (block: (typeof blocks)[number]) => number): number => median(blocks.map(pick));
    const admission = all((each) => each.admissionMs);
    const reply = all((each) => each.constantMs);
    const disk = all((each) => each.syncMs);
    return {
      reached: [
        {
          ...{ id: 'R4', what: '(admission − constant) ÷ fdatasync, idle, p50' },
          ...{ value: (admission - reply) / disk, low: spread.min, high: spread.max },
          target: { is: 'at most', value: TARGET },
        },
      ],
      detail: { bytes, blocks },
      notes: [
        `R4: admission ${admission.toFixed(3)} ms, constant ${reply.toFixed(3)} ms, write and fdatasync of ${bytes} bytes ${disk.toFixed(3)} ms, each at the median.`,
      ],
    };
  } finally {
    closeSync(fd);
    await edge.stop();
    await constant.stop();
  }
}

export const IDLE_LATENCY: Ratio = { ids: ['r4'], title: 'Latency of a lone request', measure };
