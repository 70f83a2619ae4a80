// Counts votes about one slot, or about one block in another cluster's log. Votes count together only if ballot, slot,
// sequence and digest are equal, and of each node only the first in a ballot counts (protocol 2, 2.3). Of each node
// only the votes of a few ballots are kept, the highest, so that a lying node cannot make us remember more and more.

import { type Ballot, compareBallots, type Entry, type NodeIndex, type View } from "../types/ids.js";
import type { Signed } from "../types/schema.js";
import type { ClusterInfo } from "../types/topology.js";
import { fastQuorumOf, primaryOf, voteKey } from "./quorum.js";

export interface Count {
  readonly entry: Entry;
  readonly voters: Set<NodeIndex>;
  readonly signed: Map<NodeIndex, Signed>;
}

/** Two rounds of this view and two of the one before; votes of older ones decide nothing that these do not. */
const BALLOTS_MAX = 4;

export class Tally {
  readonly #counts = new Map<string, Count>();
  /** Of each node, at most one vote for a ballot. */
  readonly #votes = new Map<NodeIndex, Entry[]>();

  /** The count the vote belongs to; undefined when it does not count: it voted in that ballot or a later one. */
  add(vote: {
    readonly entry: Entry;
    readonly node: NodeIndex;
    readonly signed: Signed | undefined;
  }): Count | undefined {
    const { entry, node, signed } = vote;
    if (this.voteOf(node, entry) !== undefined || !this.#makeRoom(node, entry)) return undefined;
    this.#votes.get(node)?.push(entry);
    const key = voteKey(entry);
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = { entry, voters: new Set(), signed: new Map() };
      this.#counts.set(key, count);
    }
    count.voters.add(node);
    if (signed !== undefined) count.signed.set(node, signed);
    return count;
  }

  /** What the node voted for in a ballot. */
  voteOf(node: NodeIndex, ballot: Ballot): Entry | undefined {
    return this.#votes.get(node)?.find((entry) => compareBallots(entry, ballot) === 0);
  }

  countOf(entry: Entry): Count | undefined {
    return this.#counts.get(voteKey(entry));
  }

  /** Have the round-0 votes of a view fallen apart so far that none can reach the fast quorum (protocol 3.1)? */
  isOutOfReach(cluster: ClusterInfo, view: View): boolean {
    const counts = [...this.#counts.values()].filter(({ entry }) => entry.view === view && entry.round === 0);
    const voted = counts.reduce((sum, { voters }) => sum + voters.size, 0);
    // A quorum of round 0 includes the primary, so once that has voted only its entry can still win.
    const chosen = counts.filter(({ voters }) => voters.has(primaryOf(cluster, view)));
    const best = Math.max(0, ...(chosen.length > 0 ? chosen : counts).map(({ voters }) => voters.size));
    return best + cluster.nodes.length - voted < fastQuorumOf(cluster);
  }

  /** Drops the node's vote of its lowest ballot when it has too many; false when this one would be the lowest. */
  #makeRoom(node: NodeIndex, ballot: Ballot): boolean {
    const votes = this.#votes.get(node);
    if (votes === undefined) {
      this.#votes.set(node, []);
      return true;
    }
    if (votes.length < BALLOTS_MAX) return true;
    const lowest = votes.reduce((a, b) => (compareBallots(b, a) < 0 ? b : a));
    if (compareBallots(ballot, lowest) < 0) return false;
    votes.splice(votes.indexOf(lowest), 1);
    const count = this.#counts.get(voteKey(lowest));
    count?.voters.delete(node);
    count?.signed.delete(node);
    if (count?.voters.size === 0) this.#counts.delete(voteKey(lowest));
    return true;
  }
}

/** The proof that a count makes: so many of its signed votes. */
export function proofOf({ signed }: Count, size: number): readonly Signed[] {
  return [...signed.values()].slice(0, size);
}
