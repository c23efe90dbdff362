// What the tests of the embedded link share: both sides on a socket in a directory of their own.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import type { Bus, Message } from './bus.js';
import { connectLocalLink, listenLocalLink } from './local-link.js';

export const logger = pino({ level: 'silent' });
export const TOPIC = 'a.topic';

export function newPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'openbell-link-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return join(directory, 'x.sock');
}

export async function listen(
  t: TestContext,
  path: string,
  options: { heartbeatMs?: number } = {},
): Promise<Bus> {
  const bus = await listenLocalLink({ path, logger, ...options });
  assert.ok(bus.ok);
  t.after(() => bus.value.close());
  return bus.value;
}

export function dial(
  t: TestContext,
  path: string,
  options: { publishTimeoutMs?: number; heartbeatMs?: number } = {},
): Bus {
  const bus = connectLocalLink({ path, logger, random: () => 0, ...options });
  t.after(() => bus.close());
  return bus;
}

export const connection = (bus: Bus, wanted: boolean): Promise<void> =>
  new Promise((resolve) => {
    if (bus.connected === wanted) resolve();
    const stop = bus.onConnectedChange((connected) => {
      if (connected !== wanted) return;
      stop();
      resolve();
    });
  });

export async function pair(t: TestContext, options: { publishTimeoutMs?: number } = {}): Promise<[Bus, Bus]> {
  const path = newPath(t);
  const server = await listen(t, path);
  const client = dial(t, path, options);
  await Promise.all([connection(server, true), connection(client, true)]);
  return [server, client];
}

export const text = (message: Message): string => Buffer.from(message.body).toString();
export const bodies = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) => Buffer.from(`m${i}`));

/** Resolves when the handler has been called `count` times. */
export function collect(
  bus: Bus,
  count: number,
  maxInFlight = 10_000,
): { messages: Message[]; all: Promise<void> } {
  const messages: Message[] = [];
  const all = new Promise<void>((resolve) => {
    bus.subscribe(
      TOPIC,
      (message) => {
        messages.push(message);
        if (messages.length === count) resolve();
      },
      { maxInFlight },
    );
  });
  return { messages, all };
}

/** Resolves when the socket is closed, whoever closed it. */
export const ended = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.once('close', () => resolve());
  });
