// Two watermarks kept as one: the shared one decides, and the local one follows, so that a node that goes back to the
// embedded default, or whose cluster has lost its memory, still knows its epoch and how far its own disk was durable.

import type { Result } from '../core/result.js';
import type { Watermark, WatermarkFailure, WatermarkStore } from './watermark.js';

export class MirroredWatermarkStore implements WatermarkStore {
  readonly #shared: WatermarkStore;
  readonly #local: WatermarkStore;

  constructor(shared: WatermarkStore, local: WatermarkStore) {
    this.#shared = shared;
    this.#local = local;
  }

  read(): Promise<Result<Watermark | null, string>> {
    return this.#shared.read();
  }

  async write(watermark: Watermark): Promise<Result<void, WatermarkFailure>> {
    const shared = await this.#shared.write(watermark);
    // What is refused there is refused here; what is only not told there is true here all the same.
    if (!shared.ok && shared.error.code !== 'unavailable') return shared;
    const local = await this.#local.write(watermark);
    return shared.ok ? local : shared;
  }
}
