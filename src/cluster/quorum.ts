// Quorum arithmetic, all of it (protocol 1, 3.1). With the smallest n these are the paper's f + 1 and 2f + 1; with more
// nodes those would let two quorums meet in no correct node (protocol 9, scenario 9).

import type { Ballot, Entry, NodeIndex, View } from "../types/ids.js";
import type { ClusterInfo } from "../types/topology.js";

/** Votes that decide (crash) or prepare and decide (byzantine) an entry of round 1. */
export function quorumOf({ model, faults, nodes }: ClusterInfo): number {
  const n = nodes.length;
  return model === "crash" ? Math.floor(n / 2) + 1 : Math.floor((n + faults) / 2) + 1;
}

/**
 * Votes for a self-assigned entry (round 0). Crash: the fast quorum, so that any q promises show more reporters of a
 * decided entry than of a rival (scenario 3). Byzantine: q, as the COMMIT phase follows.
 */
export function fastQuorumOf(cluster: ClusterInfo): number {
  return cluster.model === "crash" ? Math.ceil((3 * cluster.nodes.length) / 4) : quorumOf(cluster);
}

/** Equal answers of different nodes of which one is surely correct. */
export function witnessesOf({ model, faults }: ClusterInfo): number {
  return model === "crash" ? 1 : faults + 1;
}

export function primaryOf(cluster: ClusterInfo, view: View): NodeIndex {
  return view % cluster.nodes.length;
}

/** Do these voters decide (byzantine: prepare) an entry of this ballot? A round-0 quorum includes the primary (3.1). */
export function isQuorum(cluster: ClusterInfo, ballot: Ballot, voters: ReadonlySet<NodeIndex>): boolean {
  if (ballot.round === 1) return voters.size >= quorumOf(cluster);
  return voters.size >= fastQuorumOf(cluster) && voters.has(primaryOf(cluster, ballot.view));
}

/** Votes count together only with equal ballot, slot, sequence and digest (protocol 2). */
export function voteKey({ view, round, slot, sequence, digest }: Entry): string {
  return `${view}.${round}.${slot}.${sequence}.${digest}`;
}

export function sameEntry(a: Entry, b: Entry): boolean {
  return a.slot === b.slot && a.sequence === b.sequence && a.digest === b.digest;
}

export function sameVote(a: Entry, b: Entry): boolean {
  return sameEntry(a, b) && a.view === b.view && a.round === b.round;
}
