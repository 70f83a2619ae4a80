// At the primary: where each node placed a block in round 0 (protocol 3.1). Whether the nodes differ from the primary
// can only be said once it has placed the block itself, which may be after it heard of their choices.

import { sameEntry } from "../cluster/quorum.js";
import type { Digest, Entry, NodeIndex, Slot } from "../types/ids.js";

export class Placements {
  readonly #byDigest = new Map<Digest, Map<NodeIndex, Entry>>();

  add(entry: Entry, node: NodeIndex): void {
    let placements = this.#byDigest.get(entry.digest);
    if (placements === undefined) {
      placements = new Map();
      this.#byDigest.set(entry.digest, placements);
    }
    placements.set(node, entry);
  }

  /** Nodes that placed the block at all. */
  nodesOf(digest: Digest): number {
    return this.#byDigest.get(digest)?.size ?? 0;
  }

  /** Nodes that placed the block elsewhere. */
  differing(own: Entry): number {
    const placements = this.#byDigest.get(own.digest);
    if (placements === undefined) return 0;
    return [...placements.values()].filter((entry) => !sameEntry(entry, own)).length;
  }

  /** A new view begins: what nodes chose for themselves in lower ones is void. */
  clear(): void {
    this.#byDigest.clear();
  }

  /** The block is decided. */
  release(digest: Digest): void {
    this.#byDigest.delete(digest);
  }

  /** Slots up to here are below a stable checkpoint: whatever was placed there and not decided never will be. */
  forget(slot: Slot): void {
    for (const [digest, placements] of this.#byDigest) {
      for (const [node, entry] of placements) if (entry.slot <= slot) placements.delete(node);
      if (placements.size === 0) this.#byDigest.delete(digest);
    }
  }
}
