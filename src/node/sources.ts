// Whom to ask next (protocol 6): all others of the cluster in turn. One that gave something wrong, or nothing, is left
// out for a while, so that a liar or a dead node costs one question and not every second one.

import type { NodeIndex, NodeRef } from "../types/ids.js";
import { limits } from "../types/limits.js";

export class Sources {
  readonly #peers: readonly NodeRef[];
  readonly #bannedUntil = new Map<NodeIndex, number>();
  #turn: number;

  /** `first`: where to begin, so that not everyone's first question goes to the same node. */
  constructor(peers: readonly NodeRef[], first: number) {
    this.#peers = peers;
    this.#turn = first;
  }

  /** When all are left out, the one whose time is up first. Undefined: there is nobody. */
  next(tick: number): NodeRef | undefined {
    for (let i = 0; i < this.#peers.length; i++) {
      const peer = this.#peers[this.#turn++ % this.#peers.length] as NodeRef;
      if (this.#until(peer) <= tick) return peer;
    }
    return this.#peers.reduce<NodeRef | undefined>(
      (best, peer) => (best === undefined || this.#until(peer) < this.#until(best) ? peer : best),
      undefined,
    );
  }

  /** Is there anyone who is not left out? */
  hasFree(tick: number): boolean {
    return this.#peers.some((peer) => this.#until(peer) <= tick);
  }

  ban({ node }: NodeRef, tick: number): void {
    this.#bannedUntil.set(node, tick + limits.sourceBanMs);
  }

  #until({ node }: NodeRef): number {
    return this.#bannedUntil.get(node) ?? 0;
  }
}
