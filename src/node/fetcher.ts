// Blocks that votes name and this node has not: whom to ask for them (protocol 3.1, 3.4), and when to give up. When to
// ask is the replica's.

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

interface Wanted {
  /** Others that have shown that they know the block, the first ones. */
  readonly witnesses: NodeRef[];
  /** This node's own log holds it: it is proven to exist, is wanted but once, and nothing goes on without it. */
  isOwn: boolean;
  askings: number;
}

/** Of those whose votes name a block, so many are asked for it. */
const WITNESSES_MAX = 4;

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #wanted = new Map<Digest, Wanted>();

  constructor(options: FetcherOptions) {
    this.#options = options;
  }

  wants(digest: Digest): boolean {
    return this.#wanted.has(digest);
  }

  /** `from`: who named it; this node itself when its log holds it. May be called again and again. */
  want(digest: Digest, from: NodeRef): void {
    const isOwn = this.#isSelf(from);
    const known = this.#wanted.get(digest);
    if (known === undefined && !isOwn && this.#wanted.size >= limits.heldMessagesMax) return;
    const wanted = known ?? { witnesses: [], isOwn, askings: 0 };
    this.#wanted.set(digest, wanted);
    if (isOwn) wanted.isOwn = true;
    else if (wanted.witnesses.length < WITNESSES_MAX && !includes(wanted.witnesses, from)) wanted.witnesses.push(from);
  }

  drop(digest: Digest): void {
    this.#wanted.delete(digest);
  }

  /**
   * FETCH to those who have shown that they know the block, and when they do not answer to the own cluster as well: a
   * single witness may be a liar. False: nothing to fetch, or not any more.
   */
  ask(digest: Digest, send: Send[]): boolean {
    const wanted = this.#wanted.get(digest);
    if (wanted === undefined || this.#options.isKnown(digest) || this.#isVain(wanted)) {
      this.drop(digest);
      return false;
    }
    const { witnesses } = wanted;
    const isEnough = witnesses.length > 0 && wanted.askings === 0;
    const others = isEnough ? [] : this.#cluster().filter((ref) => !includes(witnesses, ref));
    wanted.askings++;
    send.push({ to: [...witnesses, ...others], message: { kind: "fetch", digest } });
    return true;
  }

  /** Whoever still speaks of the block makes it wanted again. */
  #isVain({ isOwn, askings }: Wanted): boolean {
    return !isOwn && askings >= limits.fetchesPerBlockMax;
  }

  #cluster(): readonly NodeRef[] {
    const { self, members } = this.#options;
    return members.nodesOf([self.cluster]).filter((ref) => !this.#isSelf(ref));
  }

  #isSelf(ref: NodeRef): boolean {
    return nodeKey(ref) === nodeKey(this.#options.self);
  }
}

function includes(refs: readonly NodeRef[], ref: NodeRef): boolean {
  return refs.some((each) => nodeKey(each) === nodeKey(ref));
}
