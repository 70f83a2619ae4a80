// Randomness that a seed repeats exactly, for workloads: xoshiro128** seeded by splitmix32 (both public domain, by
// Blackman and Vigna, and by Steele and others), and Zipf's distribution by rejection-inversion (Hörmann and Derflinger
// 1996), which needs no table, however many ranks there are.

export interface Random {
  /** An integer within 0..count-1. */
  below(count: number): number;
  /** A fraction within 0..1, without 1. */
  fraction(): number;
}

export function randomOf(seed: number): Random {
  const state = Uint32Array.from({ length: 4 }, splitmix32(seed));

  function next(): number {
    const [a, b, c, d] = state as unknown as readonly [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    state[2] = c ^ a;
    state[3] = d ^ b;
    state[1] = b ^ (c ^ a);
    state[0] = a ^ (d ^ b);
    state[2] = c ^ a ^ (b << 9);
    state[3] = rotate(d ^ b, 11);
    return result;
  }

  const fraction = () => next() / 2 ** 32;
  return { fraction, below: (count) => Math.floor(fraction() * count) };
}

/** A drawer of ranks 0..count-1, rank r with a probability proportional to 1 / (r + 1)^skew; skew 0 is uniform. */
export function zipfOf({ count, skew }: { readonly count: number; readonly skew: number }): (random: Random) => number {
  if (skew === 0) return (random) => random.below(count);
  // H is the integral of x^-skew, up to a constant; its inverse turns a uniform number into a point under that curve.
  const integral = (x: number) => (skew === 1 ? Math.log(x) : x ** (1 - skew) / (1 - skew));
  const inverse = (y: number) => (skew === 1 ? Math.exp(y) : (y * (1 - skew)) ** (1 / (1 - skew)));
  const low = integral(1.5) - 1;
  const high = integral(count + 0.5);
  return (random) => {
    for (;;) {
      const y = high + random.fraction() * (low - high);
      const rank = Math.min(Math.max(Math.round(inverse(y)), 1), count);
      // The point lies under the bar of its rank, or it is drawn again.
      if (y >= integral(rank + 0.5) - rank ** -skew) return rank - 1;
    }
  };
}

function splitmix32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}

function rotate(x: number, by: number): number {
  return ((x << by) | (x >>> (32 - by))) >>> 0;
}
