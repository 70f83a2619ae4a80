// Checkpoints (protocol 6): every 64 slots a node signs what it holds at a point of the delivery order; q equal ones
// are the checkpoint certificate, and log slots up to it may be forgotten. The point is the same at all nodes, for it
// depends on the log and the delivery order alone.

import { sameCheckpoint } from "../cluster/checkpoint.js";
import { quorumOf } from "../cluster/quorum.js";
import type { Slot } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Checkpoint } from "../types/message.js";
import type { Certificate, Signed } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";

export interface StableCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly certificate: Certificate;
}

/** Points above the stable one for which a node's votes are kept, the highest: a liar crowds out only itself. */
const POINTS_PER_NODE_MAX = 16;

export class Checkpoints {
  readonly #cluster: ClusterInfo;
  readonly #votes = new Map<Slot, Map<number, { readonly checkpoint: Checkpoint; readonly signed: Signed }>>();
  #stable: Slot = 0;
  /** The largest block's slot with all slots up to it delivered or no-op. */
  #done: Slot;

  constructor(options: { readonly cluster: ClusterInfo; readonly stable: Slot; readonly done: Slot }) {
    this.#cluster = options.cluster;
    this.#stable = options.stable;
    this.#done = options.done;
  }

  get stable(): Slot {
    return this.#stable;
  }

  /** The delivered prefix grew to `slot`; is a checkpoint due? */
  advance(slot: Slot): boolean {
    const isDue = Math.floor(slot / limits.checkpointSlots) > Math.floor(this.#done / limits.checkpointSlots);
    this.#done = slot;
    return isDue;
  }

  onCheckpoint(checkpoint: Checkpoint, signed: Signed): StableCheckpoint | undefined {
    const { slot, node } = checkpoint;
    if (slot <= this.#stable) return undefined;
    let votes = this.#votes.get(slot);
    if (votes === undefined) {
      votes = new Map();
      this.#votes.set(slot, votes);
    }
    if (votes.has(node)) return undefined;
    votes.set(node, { checkpoint, signed });
    this.#limit(node);
    const equal = [...votes.values()].filter((vote) => sameCheckpoint(vote.checkpoint, checkpoint));
    if (equal.length < quorumOf(this.#cluster)) return undefined;
    this.learn(slot);
    return { checkpoint, certificate: { cluster: checkpoint.cluster, commits: equal.map((vote) => vote.signed) } };
  }

  /** A checkpoint at this slot is known to be stable, by whatever proof. */
  learn(slot: Slot): void {
    this.#stable = Math.max(this.#stable, slot);
    for (const each of this.#votes.keys()) if (each <= this.#stable) this.#votes.delete(each);
  }

  #limit(node: number): void {
    const slots = [...this.#votes].flatMap(([slot, votes]) => (votes.has(node) ? [slot] : []));
    if (slots.length <= POINTS_PER_NODE_MAX) return;
    const lowest = Math.min(...slots);
    const votes = this.#votes.get(lowest);
    votes?.delete(node);
    if (votes?.size === 0) this.#votes.delete(lowest);
  }
}
