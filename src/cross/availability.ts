// Which other clusters are down, as far as this node can tell (protocol 11): a block that was brought to them stays
// undecided there past the cross timer and its repetition. Requests that involve them are then refused at once instead
// of waiting with what already waits. The same block, which goes on being asked for, shows when they are back.

import type { Block } from "../types/block.js";
import type { ClusterId, Digest } from "../types/ids.js";

export interface AvailabilityOptions {
  readonly self: ClusterId;
  /** Clusters known to have decided a block under way; undefined: it is not under way. */
  readonly decidedBy: (digest: Digest) => ReadonlyMap<ClusterId, unknown> | undefined;
}

export class Availability {
  readonly #options: AvailabilityOptions;
  /** Cluster -> a block that waits for it. */
  readonly #late = new Map<ClusterId, Digest>();

  constructor(options: AvailabilityOptions) {
    this.#options = options;
  }

  /** The block was asked for again and again, in vain. */
  onLate({ digest, clusters }: Block): void {
    const decided = this.#options.decidedBy(digest);
    for (const cluster of clusters) {
      const isSilent = cluster !== this.#options.self && decided?.has(cluster) === false;
      if (isSilent && !this.isDown(cluster)) this.#late.set(cluster, digest);
    }
  }

  isDown(cluster: ClusterId): boolean {
    const digest = this.#late.get(cluster);
    if (digest === undefined) return false;
    if (this.#options.decidedBy(digest)?.has(cluster) === false) return true;
    this.#late.delete(cluster);
    return false;
  }
}
