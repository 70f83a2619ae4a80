// Small draws that villains share, and how much a villain may say in a while: all are functions of the run's seed and
// of virtual time. Without an allowance two villains could answer each other without end in one moment.

import type { Below } from "../observer.js";

/** True in `percent` of a hundred cases. */
export function happens(below: Below, percent: number): boolean {
  return below(100) < percent;
}

export function oneOf<T>(below: Below, list: readonly T[]): T {
  if (list.length === 0) throw new Error("nothing to choose from");
  return list[below(list.length)] as T;
}

/** Each with the same chance, in their order; at least one, and not all if there are more than one. */
export function someOf<T>(below: Below, list: readonly T[]): readonly T[] {
  const taken = list.filter(() => happens(below, 50));
  if (taken.length > 0 && (taken.length < list.length || list.length === 1)) return taken;
  return list.length === 0 ? [] : [oneOf(below, list)];
}

/** A number within from..to, both included. */
export function within(below: Below, { from, to }: { readonly from: number; readonly to: number }): number {
  return from + below(to - from + 1);
}

/** So many words in each second of virtual time. */
export class Allowance {
  readonly #perSecond: number;
  #second = -1;
  #left = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  take(now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#left = this.#perSecond;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

/** A map that forgets its oldest entries. */
export class Recent<K, V> {
  readonly #max: number;
  readonly #map = new Map<K, V>();

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#map.size;
  }

  has(key: K): boolean {
    return this.#map.has(key);
  }

  get(key: K): V | undefined {
    return this.#map.get(key);
  }

  set(key: K, value: V): void {
    this.#map.set(key, value);
    for (const oldest of this.#map.keys()) {
      if (this.#map.size <= this.#max) break;
      this.#map.delete(oldest);
    }
  }

  values(): readonly V[] {
    return [...this.#map.values()];
  }

  /** All, which are then forgotten. */
  take(): readonly V[] {
    const all = this.values();
    this.#map.clear();
    return all;
  }
}
