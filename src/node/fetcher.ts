// Blocks that votes name and this node has not: whom to ask for them (protocol 3.1, 3.4). When to ask is the replica's.

import type { Members } from "../cluster/members.js";
import type { Send } from "../types/effects.js";
import { type Digest, type NodeRef, nodeKey } from "../types/ids.js";
import { limits } from "../types/limits.js";

export interface FetcherOptions {
  readonly self: NodeRef;
  readonly members: Members;
  /** Has the block come meanwhile, or even its record? */
  readonly isKnown: (digest: Digest) => boolean;
}

/** Of those whose votes name a block, so many are asked for it. */
const WITNESSES_MAX = 4;

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #wanted = new Map<Digest, NodeRef[]>();

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  wants(digest: Digest): boolean {
    return this.#wanted.has(digest);
  }

  want(digest: Digest, from: NodeRef): void {
    const known = this.#wanted.get(digest);
    if (known === undefined && this.#wanted.size >= limits.heldMessagesMax) return;
    const witnesses = known ?? [];
    if (witnesses.length < WITNESSES_MAX) witnesses.push(from);
    this.#wanted.set(digest, witnesses);
  }

  drop(digest: Digest): void {
    this.#wanted.delete(digest);
  }

  /** FETCH to those who have shown that they know the block, else to the own cluster. False: nothing to fetch. */
  ask(digest: Digest, send: Send[]): boolean {
    const { self, members, isKnown } = this.#options;
    const witnesses = this.#wanted.get(digest);
    if (witnesses === undefined || isKnown(digest)) {
      this.drop(digest);
      return false;
    }
    const others = witnesses.filter((ref) => nodeKey(ref) !== nodeKey(self));
    const cluster = members.nodesOf([self.cluster]).filter((ref) => nodeKey(ref) !== nodeKey(self));
    send.push({ to: others.length > 0 ? others : cluster, message: { kind: "fetch", digest } });
    return true;
  }
}
