// Seeded pseudo-random numbers, so that a run can be made again from the seed that it printed. Not for secrets.

/** A generator of numbers in [0, 1) with 32 bits of state (Tommy Ettinger's mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(state) / 4_294_967_296;
  };
}

/** A number in [0, 1) that depends only on the seed and the index: random access into a stream. */
export function randomAt(seed: number, index: number): number {
  return mix((Math.imul(seed, 0x9e3779b1) + Math.imul(index + 1, 0x6d2b79f5)) >>> 0) / 4_294_967_296;
}

function mix(value: number): number {
  let z = value;
  z = Math.imul(z ^ (z >>> 15), z | 1);
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
  return (z ^ (z >>> 14)) >>> 0;
}
