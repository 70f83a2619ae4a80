// A cache of bounded size in two generations: what was asked for lately stays, what was not is dropped in bulk. Costs
// one or two map look-ups and no bookkeeping per entry, unlike a list of recent use.

export class RecentCache<K, V> {
  readonly #generationMax: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** Never holds more than twice `generationMax` entries. */
  constructor(generationMax: number) {
    this.#generationMax = generationMax;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#generationMax) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
