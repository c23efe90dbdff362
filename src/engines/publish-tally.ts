// Counts the publishes of a bus by how they ended.

import type { Result } from '../core/result.js';
import type { PublishEnd, PublishFailure } from './bus.js';

export class PublishTally {
  readonly counts: Record<PublishEnd, number> = {
    ok: 0,
    unreachable: 0,
    timeout: 0,
    overloaded: 0,
    'bad-size': 0,
    closed: 0,
  };

  /** The same promise, counted when it ends. */
  async count(published: Promise<Result<void, PublishFailure>>): Promise<Result<void, PublishFailure>> {
    const result = await published;
    this.counts[result.ok ? 'ok' : result.error]++;
    return result;
  }
}
