// A store in memory: the same order of keys and the same atomic batches as the one on disk, without a disk. Values are
// copied on the way in, so that nobody changes what is stored by changing what was written.

import type { Write } from "../types/effects.js";
import type { RangeOptions, Store, StoredPair } from "./store.js";

export class MemoryStore implements Store {
  // Latin-1 text orders as its bytes do.
  readonly #values = new Map<string, Uint8Array>();
  #sorted: string[] | undefined = [];

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#values.get(textOf(key));
  }

  write(batch: readonly Write[]): Promise<void> {
    this.apply(batch);
    return Promise.resolve();
  }

  /** `write`, at once: for worlds without promises. */
  apply(batch: readonly Write[]): void {
    for (const { key, value } of batch) {
      const text = textOf(key);
      const known = this.#values.has(text);
      if (value === undefined) this.#values.delete(text);
      else this.#values.set(text, value.slice());
      if (known !== (value !== undefined)) this.#sorted = undefined;
    }
  }

  async *range(options: RangeOptions): AsyncIterable<StoredPair> {
    for await (const pairs of this.batches(options)) yield* pairs;
  }

  async *batches({
    gte,
    lt,
    reverse = false,
    limit = Number.POSITIVE_INFINITY,
  }: RangeOptions): AsyncIterable<readonly StoredPair[]> {
    this.#sorted ??= [...this.#values.keys()].sort();
    const from = firstAtLeast(this.#sorted, textOf(gte));
    const to = firstAtLeast(this.#sorted, textOf(lt));
    const keys = this.#sorted.slice(from, to);
    if (reverse) keys.reverse();
    yield keys.slice(0, limit).map((key) => [bytesOf(key), this.#values.get(key) as Uint8Array] as const);
  }

  /** All it holds, to copy or to go back to: for worlds without promises. */
  rows(): readonly StoredPair[] {
    return [...this.#values].map(([key, value]) => [bytesOf(key), value] as const);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

/** Position of the first key that is not below `bound`. */
function firstAtLeast(sorted: readonly string[], bound: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
