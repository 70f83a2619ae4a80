// A node's disk: what survives a crash and what does not. A synced write is durable with everything before it; one that
// was not synced may be lost at a crash, and whatever came after it is lost with it, as in a log that is cut off.

import type { MemoryStore } from "../ledger/memory.js";
import type { Write } from "../types/effects.js";

/** All that a store holds. */
export type Rows = ReturnType<MemoryStore["rows"]>;

export class Disk {
  readonly store: MemoryStore;
  /** What undoes each unsynced write, oldest first. */
  readonly #undo: (readonly Write[])[] = [];

  constructor(store: MemoryStore) {
    this.store = store;
  }

  get unsynced(): number {
    return this.#undo.length;
  }

  write(batch: readonly Write[], { sync }: { readonly sync: boolean }): void {
    if (batch.length === 0) return;
    if (sync) this.#undo.length = 0;
    else this.#undo.push(this.#undoOf(batch));
    this.store.apply(batch);
  }

  /** Nothing of what it held is there any more. */
  replace(rows: readonly Write[]): void {
    this.write([...this.store.rows().map(([key]) => ({ key, value: undefined })), ...rows], { sync: true });
  }

  /** The node stops: of the unsynced writes the newest are lost, `lost` of them at most. */
  crash(lost: number): void {
    for (let i = 0; i < lost; i++) {
      const undo = this.#undo.pop();
      if (undo === undefined) return;
      this.store.apply(undo);
    }
    // What was not lost is on the disk now: the store is read from there.
    this.#undo.length = 0;
  }

  #undoOf(batch: readonly Write[]): readonly Write[] {
    return batch.map(({ key }) => ({ key, value: this.store.get(key) }));
  }
}
