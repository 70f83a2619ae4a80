// The one order (protocol 3.3). Every undelivered entry has a key: its final sequence if that is known, else its own
// sequence, which is a lower bound. The entry with the smallest key is delivered once its final sequence is known and
// not above the sequence of slot F, the end of the decided prefix: nothing that is decided later can come before it. So
// views agree on the order of what they share, and their union has no cycle (scenarios 1 and 2 of protocol 9).

import type { Digest, Entry, Sequence, Slot } from "../types/ids.js";

interface Waiting {
  readonly entry: Entry;
  final: Sequence | undefined;
}

export interface Delivered {
  readonly entry: Entry;
  readonly final: Sequence;
}

export class Delivery {
  /** Undelivered entries, as a binary heap by key. A key that grows is pushed again; the old one is skipped. */
  readonly #heap: { readonly key: Sequence; readonly waiting: Waiting }[] = [];
  readonly #byDigest = new Map<Digest, Waiting>();
  /** Finals that came before the entry was within the decided prefix. */
  readonly #finals = new Map<Digest, Sequence>();
  #last: Sequence;

  /** `last`: the final sequence of the last record; entries of that or a lower final are never delivered again. */
  constructor(last: Sequence) {
    this.#last = last;
  }

  /** An entry of the decided prefix, in slot order; no-ops are not added. `final`: for blocks of this cluster alone. */
  add(entry: Entry, final: Sequence | undefined): void {
    const waiting = { entry, final: final ?? this.#finals.get(entry.digest) };
    this.#finals.delete(entry.digest);
    this.#byDigest.set(entry.digest, waiting);
    this.#push(waiting);
  }

  /** All clusters of the block have decided: its final sequence is the maximum (protocol 3). */
  finalize(digest: Digest, final: Sequence): void {
    const waiting = this.#byDigest.get(digest);
    if (waiting === undefined) {
      this.#finals.set(digest, final);
      return;
    }
    if (waiting.final !== undefined) return;
    waiting.final = final;
    this.#push(waiting);
  }

  /** What may be delivered now, in order. `frontier`: slot F and its sequence. */
  next(frontier: { readonly slot: Slot; readonly sequence: Sequence }): Delivered | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      const { entry, final } = top.waiting;
      if (this.#byDigest.get(entry.digest) !== top.waiting || (final !== undefined && top.key !== final)) {
        this.#pop();
        continue;
      }
      if (final === undefined || final > frontier.sequence) return undefined;
      this.#pop();
      this.#byDigest.delete(entry.digest);
      if (final <= this.#last) throw new Error(`final ${final} is delivered after ${this.#last}`);
      this.#last = final;
      return { entry, final };
    }
  }

  get waiting(): number {
    return this.#byDigest.size;
  }

  #push(waiting: Waiting): void {
    const heap = this.#heap;
    const item = { key: waiting.final ?? waiting.entry.sequence, waiting };
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as (typeof heap)[number];
      if (above.key <= item.key) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const item = heap.pop();
    if (item === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.key < (heap[child] as typeof item).key) child++;
      const below = heap[child] as typeof item;
      if (below.key >= item.key) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = item;
  }
}
