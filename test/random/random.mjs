// SPDX-License-Identifier: MIT
//
// A generator of random numbers that a seed repeats.

/** A 32-bit number that depends on every bit of the given ones. */
export function mix(...numbers) {
  let hash = 0x9e3779b9;
  for (const number of numbers) {
    hash = Math.imul(hash ^ (number >>> 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}

export class Random {
  #state;

  /** @param {...number} seed */
  constructor(...seed) {
    this.#state = mix(...seed);
  }

  /** A 32-bit number: mulberry32. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** @returns {number} a whole number from `low` to `high`, both included */
  int(low, high) {
    return low + (this.next() % (high - low + 1));
  }

  /** @returns {boolean} true once in `n` times */
  once(n) {
    return this.next() % n === 0;
  }

  /** One of the values. */
  of(...values) {
    return values[this.next() % values.length];
  }

  /** One of the keys, as often as its weight says. @param {Record<string, number>} weights */
  weighted(weights) {
    const entries = Object.entries(weights);
    let at = this.next() % entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      if (at < weight) return name;
      at -= weight;
    }
    return entries[0][0];
  }

  /** A size in bytes: often one at which something changes. */
  size(most) {
    const size = this.weighted({ none: 1, tiny: 3, small: 4, edge: 3, large: 3, huge: 1 });
    if (size === 'none') return 0;
    if (size === 'tiny') return Math.min(most, this.int(1, 20));
    if (size === 'small') return Math.min(most, this.int(21, 5000));
    if (size === 'edge') return Math.min(most, this.of(4096, 16384, 32768, 65536, 131072) + this.int(-2, 2));
    if (size === 'large') return Math.min(most, this.int(5000, 200_000));
    return Math.min(most, this.int(200_000, 700_000));
  }
}
