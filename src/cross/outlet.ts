// From the decided prefix of the own log, and the final sequences as they become known, to blocks in the one order with
// their proofs (protocol 3.3). Nothing leaves while a slot of the prefix lacks its block: that might come first.

import type { ClusterLog } from "../intra/engine.js";
import { type Block, isNoOp } from "../types/block.js";
import type { Digest, Entry, Sequence, Slot } from "../types/ids.js";
import type { Complete, Decisions } from "./decisions.js";
import { Delivery } from "./delivery.js";

/** A block in its place in the one order, with what proves it. */
export interface Ordered {
  readonly block: Block;
  readonly slot: Slot;
  readonly final: Sequence;
  readonly sequences: Complete["sequences"];
  readonly certificates: Complete["certificates"];
}

export interface OutletOptions {
  readonly engine: ClusterLog;
  readonly decisions: Decisions;
  /** Final sequence of the last record. */
  readonly lastFinal: Sequence;
  readonly body: (digest: Digest) => Block | undefined;
  /** Has the block its record? */
  readonly isDone: (digest: Digest) => boolean;
}

export class Outlet {
  readonly #options: OutletOptions;
  readonly #delivery: Delivery;
  /** Slots up to here were given to `delivery`. */
  #handed: Slot = 0;

  constructor(options: OutletOptions) {
    this.#options = options;
    this.#delivery = new Delivery(options.lastFinal);
  }

  /** Blocks of the prefix that wait for their final sequence or their turn. */
  get waiting(): number {
    return this.#delivery.waiting;
  }

  /** At start: everything up to this slot was delivered. */
  startAfter(slot: Slot): void {
    this.#handed = slot;
  }

  finalize(digest: Digest, final: Sequence): void {
    this.#delivery.finalize(digest, final);
  }

  /** What may be delivered now, in order. */
  next(): readonly Ordered[] {
    const { engine, decisions, body } = this.#options;
    this.#handOver();
    const { frontier } = engine;
    if (this.#handed < frontier.slot) return [];
    const ordered: Ordered[] = [];
    for (;;) {
      const next = this.#delivery.next(frontier);
      if (next === undefined) return ordered;
      const { entry, final } = next;
      const { sequences, certificates } = decisions.get(entry.digest)?.complete ?? this.#ownProof(entry);
      ordered.push({ block: body(entry.digest) as Block, slot: entry.slot, final, sequences, certificates });
    }
  }

  #handOver(): void {
    const { engine, body, isDone } = this.#options;
    for (; this.#handed < engine.frontier.slot; this.#handed++) {
      const decided = engine.decisionAt(this.#handed + 1);
      if (decided === undefined) throw new Error(`slot ${this.#handed + 1} lies below the frontier, undecided`);
      const { entry } = decided;
      if (isDone(entry.digest)) continue;
      const block = body(entry.digest);
      if (block === undefined) return;
      if (!isNoOp(block)) this.#delivery.add(entry, block.clusters.length === 1 ? entry.sequence : undefined);
    }
  }

  #ownProof(entry: Entry): Pick<Complete, "sequences" | "certificates"> {
    const decided = this.#options.engine.decisionAt(entry.slot);
    if (decided === undefined) throw new Error(`slot ${entry.slot} is delivered without a certificate`);
    return { sequences: [entry.sequence], certificates: [decided.certificate] };
  }
}
