// What a node's store holds of its log, as far as a word of the node can depend on it: slot rows and the stable
// checkpoint. Kept up to date from what turns write, and read from the store itself after every start, so that nothing
// counts as durable that the store has lost.

import { checkpointKey, slotKey } from "../../ledger/keys.js";
import type { Entry, Slot } from "../../types/ids.js";
import type { SimNode } from "../observer.js";
import { type SlotRow, type Stable, sameThing, slotRowOf, stableOf } from "./facts.js";
import type { Turn } from "./history.js";

export class DurableLog {
  readonly #node: SimNode;
  readonly #rows = new Map<Slot, SlotRow | undefined>();
  #stable: Stable | undefined;

  constructor(node: SimNode) {
    this.#node = node;
  }

  /** After a start: only the store counts. */
  forget(): void {
    this.#rows.clear();
    this.#stable = undefined;
  }

  write({ slots, stable }: Pick<Turn, "slots" | "stable">): void {
    for (const [slot, row] of slots) {
      if (row === undefined) this.#rows.delete(slot);
      else this.#rows.set(slot, row);
    }
    if (stable !== undefined) this.#stable = stable;
  }

  get stable(): Stable {
    this.#stable ??= stableOf(this.#node.store.get(checkpointKey()));
    return this.#stable;
  }

  row(slot: Slot): SlotRow | undefined {
    if (this.#rows.has(slot)) return this.#rows.get(slot);
    const bytes = this.#node.store.get(slotKey(slot));
    const row = bytes === undefined ? undefined : slotRowOf(this.#node.ref.cluster, bytes);
    this.#rows.set(slot, row);
    return row;
  }

  /** Decided, or covered by the stable checkpoint, which stands for decisions (protocol 6). */
  isDecided(entry: Entry): boolean {
    if (entry.slot <= this.stable.slot) return true;
    const decided = this.row(entry.slot)?.decided;
    return decided !== undefined && sameThing(decided, entry);
  }

  hasAccepted(entry: Entry): boolean {
    const row = this.row(entry.slot);
    return this.isDecided(entry) || covers(row?.accepted, entry) || covers(row?.selfAssigned, entry);
  }

  hasCommitted(entry: Entry): boolean {
    return this.isDecided(entry) || covers(this.row(entry.slot)?.committed, entry);
  }
}

/** A row of a later ballot about the same thing took the place of the earlier one's: a node says no more than that. */
function covers(stored: Entry | undefined, said: Entry): boolean {
  if (stored === undefined || !sameThing(stored, said)) return false;
  return stored.view > said.view || (stored.view === said.view && stored.round >= said.round);
}
