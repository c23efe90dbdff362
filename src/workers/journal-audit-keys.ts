// A set of idempotency keys small enough for a whole journal: 64-bit fingerprints in an open-addressing table.
//
// Two different keys are taken for one with odds of n²/2^65: about one in a hundred thousand for sixteen million keys.
// A caller that finds a repetition therefore names it, and whoever looks can tell.

const INITIAL_SLOTS = 4096;

export class KeyFingerprints {
  readonly #keysMax: number;
  #slots = INITIAL_SLOTS;
  #table = new Uint32Array(INITIAL_SLOTS * 2);
  #size = 0;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  /** True when no more keys are taken: `add` then only answers for those it has. */
  get full(): boolean {
    return this.#size >= this.#keysMax;
  }

  /** Adds the key; false when it, or once in a very long time another one, is there already. */
  add(round: number, investor: string, key: string): boolean {
    let low = Math.imul(0x811c9dc5 ^ round, 0x01000193);
    let high = Math.imul(0x9747b28c ^ round, 0x5bd1e995);
    for (let i = 0; i < investor.length; i++) {
      const code = investor.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul((high << 5) ^ (high >>> 27) ^ code, 0x5bd1e995);
    }
    // The separator: no investor id has a space.
    low = Math.imul(low ^ 0x20, 0x01000193);
    high = Math.imul((high << 5) ^ (high >>> 27) ^ 0x20, 0x5bd1e995);
    for (let i = 0; i < key.length; i++) {
      const code = key.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul((high << 5) ^ (high >>> 27) ^ code, 0x5bd1e995);
    }
    return this.#insert(mixed(low), mixed(high) || 1);
  }

  #insert(low: number, high: number): boolean {
    let slot = (low ^ high) & (this.#slots - 1);
    // At most half of the slots are taken, so a free one ends this.
    while (this.#table[slot * 2 + 1] !== 0) {
      if (this.#table[slot * 2] === low && this.#table[slot * 2 + 1] === high) return false;
      slot = (slot + 1) & (this.#slots - 1);
    }
    if (this.full) return true;
    this.#table[slot * 2] = low;
    this.#table[slot * 2 + 1] = high;
    this.#size += 1;
    if (this.#size * 2 > this.#slots) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#table;
    this.#slots *= 2;
    this.#table = new Uint32Array(this.#slots * 2);
    this.#size = 0;
    for (let at = 0; at < old.length; at += 2) {
      if (old[at + 1] !== 0) this.#insert(old[at]!, old[at + 1]!);
    }
  }
}

/** The finalizer of MurmurHash3: every input bit reaches every output bit. */
function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
