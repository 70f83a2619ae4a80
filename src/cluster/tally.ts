// Counts votes about one slot, or about one block in another cluster's log. Votes count together only if ballot, slot, sequence and digest are equal, and of each
// node only the first in a ballot counts (protocol 2, 2.3), which also bounds what a lying node can make us keep.

import type { Entry, NodeIndex, View } from "../types/ids.js";
import type { Signed } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { fastQuorumOf, voteKey } from "./quorum.js";

export interface Count {
  readonly entry: Entry;
  readonly voters: Set<NodeIndex>;
  readonly signed: Signed[];
}

export class Tally {
  readonly #counts = new Map<string, Count>();
  readonly #votes = new Map<string, Entry>();

  /** The count the vote belongs to, or undefined when this node's vote in that ballot was counted before. */
  add(vote: {
    readonly entry: Entry;
    readonly node: NodeIndex;
    readonly signed: Signed | undefined;
  }): Count | undefined {
    const { entry, node, signed } = vote;
    const ballot = `${node}.${entry.view}.${entry.round}`;
    if (this.#votes.has(ballot)) return undefined;
    this.#votes.set(ballot, entry);
    const key = voteKey(entry);
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { entry, voters: new Set(), signed: [] };
      this.#counts.set(key, count);
    }
    count.voters.add(node);
    if (signed !== undefined) count.signed.push(signed);
    return count;
  }

  countOf(entry: Entry): Count | undefined {
    return this.#counts.get(voteKey(entry));
  }

  /** Have the round-0 votes of a view fallen apart so far that none can reach the fast quorum (protocol 3.1)? */
  isOutOfReach(cluster: ClusterInfo, view: View): boolean {
    let voted = 0;
    let best = 0;
    for (const { entry, voters } of this.#counts.values()) {
      if (entry.view !== view || entry.round !== 0) continue;
      voted += voters.size;
      best = Math.max(best, voters.size);
    }
    return best + cluster.nodes.length - voted < fastQuorumOf(cluster);
  }
}
