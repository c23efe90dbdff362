// For tests: waits for what another thread or process brings about, with a deadline, and without keeping a core busy.

import assert from 'node:assert/strict';

const LOOK_MS = 5;

/** Resolves when it is so; fails after so long. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  ms = 90_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what} within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
