// A node's disk: what survives a crash and what does not. A synced write is durable with everything before it; one that
// was not synced may be lost at a crash, and whatever came after it is lost with it, as in a log that is cut off.
// Beside it is the mark, which a start compares with the stamp of the store, as the real node does: a disk that has
// lost what it had promised to keep is found, and its node must not start.

import type { MemoryStore } from "../ledger/memory.js";
import { checkMark, type Marked, NO_STAMP, Stamper } from "../ledger/stamps.js";
import { CodedError } from "../types/codes.js";
import type { Write } from "../types/effects.js";

interface PastWrite {
  readonly number: number;
  readonly undo: readonly Write[];
}

/** Synced writes that a broken disk may lose. */
const PAST_MAX = 32;

export class Disk {
  readonly store: MemoryStore;
  /** It takes no more. */
  isFull = false;
  /** Those that are not synced, oldest first. */
  readonly #undo: PastWrite[] = [];
  /** The newest that are on the disk, oldest first. */
  readonly #past: PastWrite[] = [];
  #stamper = Stamper.empty();
  /** Undefined: whatever the store says. */
  #mark: Marked | undefined = NO_STAMP;

  constructor(store: MemoryStore) {
    this.store = store;
  }

  get unsynced(): number {
    return this.#undo.length;
  }

  /** It lacks what was durable. */
  get hasLost(): boolean {
    return this.#mark !== undefined && this.#stamper.stamp.number < this.#mark.number;
  }

  /** What a start asks first: why the node must not start (protocol 6). */
  async refusal(): Promise<CodedError | undefined> {
    try {
      this.#stamper = await Stamper.open(this.store);
      checkMark(this.#stamper.stamp, this.#mark ?? this.#stamper.stamp, "the simulated disk");
      return undefined;
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
  }

  write(batch: readonly Write[], { sync }: { readonly sync: boolean }): void {
    if (batch.length === 0) return;
    const stamped = this.#stamper.stamped(batch);
    this.#undo.push({ number: this.#stamper.stamp.number, undo: this.#undoOf(stamped) });
    this.store.apply(stamped);
    if (!sync) return;
    this.#past.push(...this.#undo.splice(0));
    this.#past.splice(0, this.#past.length - PAST_MAX);
    this.#mark = this.#stamper.stamp;
  }

  /** Another disk with these rows; the mark is the one that belongs to them. */
  replace(rows: readonly Write[]): void {
    this.#undo.length = 0;
    this.#past.length = 0;
    this.store.apply([...this.store.rows().map(([key]) => ({ key, value: undefined })), ...rows]);
    this.#mark = undefined;
  }

  /** The node stops: of the unsynced writes the newest are lost, `lost` of them at most. */
  crash(lost: number): void {
    for (let i = 0; i < lost; i++) {
      const write = this.#undo.pop();
      if (write === undefined) return;
      this.store.apply(write.undo);
    }
    // What was not lost is on the disk now: the store is read from there.
    this.#past.push(...this.#undo.splice(0));
  }

  /** The disk breaks its promise: the newest `count` of the writes that were durable are gone, with what came later. */
  lose(count: number): void {
    // A write that was not synced and survived a crash was promised to nobody.
    const promised = this.#past.filter(({ number }) => number <= (this.#mark?.number ?? number));
    const first = promised.at(-count) ?? promised[0];
    if (first === undefined) return;
    for (const { undo } of this.#past.splice(this.#past.indexOf(first)).reverse()) this.store.apply(undo);
  }

  #undoOf(batch: readonly Write[]): readonly Write[] {
    return batch.map(({ key }) => ({ key, value: this.store.get(key) }));
  }
}
