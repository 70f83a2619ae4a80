// What a new view keeps of the views before it (protocol 5, both models): from the reports of a quorum, the entries
// that the new primary proposes again with their slots and sequences, the no-ops between them, and the blocks that lost
// their slot. Whatever was decided, whether a reporter knows it or not, is among them. A pure function of the set of
// reports: every node of a byzantine cluster computes it again and compares. It knows nothing of messages; signatures
// and certificates were checked before.

import { fastQuorumOf, quorumOf, sameEntry, voteKey } from "../cluster/quorum.js";
import {
  type Ballot,
  compareBallots,
  type Digest,
  type Entry,
  NO_SEQUENCE,
  type NodeIndex,
  type Sequence,
  type Slot,
  sequenceOf,
  type View,
} from "../types/ids.js";
import type { ClusterInfo } from "../types/topology.js";

/** One node's report for a new view: PROMISE (crash) or VIEW-CHANGE (byzantine). */
export interface Report {
  readonly node: NodeIndex;
  /** Its highest stable checkpoint; slot 0 and sequence 0 if none. */
  readonly stable: Point;
  /** Entries it holds a decision certificate for, above its stable slot. */
  readonly decided: readonly Entry[];
  /**
   * Crash: what it accepted and does not know decided, above its stable slot, each with the ballot of the accept; a
   * slot may have one of each round. Byzantine: entries of its prepared certificates.
   */
  readonly candidates: readonly Entry[];
}

export interface Point {
  readonly slot: Slot;
  readonly sequence: Sequence;
}

export interface KeptEntry {
  /** At ballot (new view, round 1). */
  readonly entry: Entry;
  /** Reported with a certificate. */
  readonly isDecided: boolean;
}

export interface Kept {
  /** The highest stable checkpoint reported. */
  readonly low: Point;
  /** Highest slot reported, kept or not; at least that of `low`. */
  readonly top: Slot;
  /** One for each slot above `low` up to `top`, ascending; empty slots hold no-ops. */
  readonly entries: readonly KeptEntry[];
  /** Reported blocks that are in no slot now, ascending: to be placed anew. */
  readonly lost: readonly Digest[];
}

export interface KeepOptions {
  readonly cluster: ClusterInfo;
  /** The new view. */
  readonly view: View;
  readonly noOp: Digest;
  readonly reports: readonly Report[];
  /** Slot at which the block was decided, of all blocks decided at or below `low`: the caller has caught up to it. */
  readonly placedAt: (digest: Digest) => Slot | undefined;
}

export function keep({ cluster, view, noOp, reports, placedAt }: KeepOptions): Kept {
  if (new Set(reports.map(({ node }) => node)).size < Math.max(reports.length, quorumOf(cluster))) {
    throw new Error(`view ${view} of cluster ${cluster.id} needs reports of ${quorumOf(cluster)} different nodes`);
  }
  const low = lowOf(reports);
  const isSettled = (digest: Digest) => digest !== noOp && (placedAt(digest) ?? low.slot + 1) <= low.slot;
  const isAboveLow = ({ slot, sequence, digest }: Entry) =>
    slot > low.slot && follows({ before: low, sequence, isNoOp: digest === noOp }) && !isSettled(digest);

  const chosen = new Chosen(noOp);
  for (const entry of reports.flatMap(({ decided }) => decided)) {
    if (chosen.has(entry)) continue;
    const isPossible = chosen.add(entry) && (entry.slot <= low.slot || isAboveLow(entry));
    if (!isPossible) throw new Error(`${show(entry)} is decided against what was decided before`);
  }
  const decidedSlots = new Set(chosen.entries.map(({ slot }) => slot));
  // A later ballot was proposed in the knowledge of what earlier ones had decided, so it goes first (scenario 11).
  for (const entry of countedCandidates(cluster, reports).sort(compareCandidates)) {
    if (isAboveLow(entry)) chosen.add(entry);
  }

  const reported = reports.flatMap(({ decided, candidates }) => [...decided, ...candidates]);
  // A slot whose candidates all lost holds a no-op and nothing else from here on, so it counts as reported, too.
  const top = reported.reduce((highest, { slot }) => Math.max(highest, slot), low.slot);
  const isLost = (digest: Digest) => digest !== noOp && !chosen.holds(digest) && !isSettled(digest);
  const lost = new Set(reported.map(({ digest }) => digest).filter(isLost));
  const entries = fillUp({ kept: chosen.entries, low, top, cluster, noOp }).map((entry) => ({
    entry: { ...entry, view, round: 1 as const },
    isDecided: decidedSlots.has(entry.slot),
  }));
  return { low, top, entries, lost: [...lost].sort() };
}

function lowOf(reports: readonly Report[]): Point {
  let low: Point = { slot: 0, sequence: NO_SEQUENCE };
  for (const { stable } of reports) {
    if (stable.slot > low.slot) low = stable;
    else if (stable.slot === low.slot && stable.sequence !== low.sequence) {
      throw new Error(`slot ${low.slot} has two stable checkpoints, ${low.sequence} and ${stable.sequence}`);
    }
  }
  return low;
}

/**
 * The candidates, each once. A self-assigned accept of a crash cluster counts only if so many report it that it may
 * have had the fast quorum: a single one, even alone in its slot, may have been kept out by a decision (scenario 11).
 */
function countedCandidates(cluster: ClusterInfo, reports: readonly Report[]): Entry[] {
  const needed = cluster.model === "crash" ? reports.length - (cluster.nodes.length - fastQuorumOf(cluster)) : 1;
  const counts = new Map<string, { readonly entry: Entry; readonly reporters: Set<NodeIndex> }>();
  for (const { node, candidates } of reports) {
    for (const entry of candidates) {
      const key = voteKey(entry);
      const count = counts.get(key) ?? { entry, reporters: new Set() };
      count.reporters.add(node);
      counts.set(key, count);
    }
  }
  const counted = [...counts.values()].filter(({ entry, reporters }) => entry.round === 1 || reporters.size >= needed);
  return counted.map(({ entry }) => entry);
}

/** Descending by ballot; within a ballot candidates do not conflict, yet everyone must take them in one order. */
function compareCandidates(a: Entry, b: Entry): number {
  return compareBallots(b, a) || a.slot - b.slot || a.sequence - b.sequence || (a.digest < b.digest ? -1 : 1);
}

/** Entries none of which conflict (protocol 2), ascending by slot. */
class Chosen {
  readonly entries: Entry[] = [];
  readonly #noOp: Digest;
  /** Blocks that have a slot; no-ops may have many. */
  readonly #blocks = new Set<Digest>();

  constructor(noOp: Digest) {
    this.#noOp = noOp;
  }

  has(entry: Entry): boolean {
    const there = this.entries[this.#indexOf(entry.slot)];
    return there !== undefined && sameEntry(there, entry);
  }

  holds(digest: Digest): boolean {
    return this.#blocks.has(digest);
  }

  /** False, with nothing changed, if the entry conflicts with one that is here, or is here. */
  add(entry: Entry): boolean {
    const { slot, sequence, digest } = entry;
    const isNoOp = digest === this.#noOp;
    const index = this.#indexOf(slot);
    const above = this.entries[index];
    const below = this.entries[index - 1];
    if (above?.slot === slot || this.holds(digest)) return false;
    // Neighbours suffice: those beyond them are in order with the neighbours.
    if (below !== undefined && !follows({ before: below, sequence, isNoOp })) return false;
    if (above !== undefined) {
      const isAboveNoOp = above.digest === this.#noOp;
      if (!follows({ before: entry, sequence: above.sequence, isNoOp: isAboveNoOp })) return false;
    }
    this.entries.splice(index, 0, entry);
    if (!isNoOp) this.#blocks.add(digest);
    return true;
  }

  /** Where the slot is, or would be. */
  #indexOf(slot: Slot): number {
    let from = 0;
    let to = this.entries.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.entries[middle] as Entry).slot < slot) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

/** May a higher slot than that of `before` have this sequence (protocol 2)? */
function follows(options: {
  readonly before: { readonly sequence: Sequence };
  readonly sequence: Sequence;
  readonly isNoOp: boolean;
}): boolean {
  const { before, sequence, isNoOp } = options;
  return sequence > before.sequence || (isNoOp && sequence === before.sequence);
}

function fillUp(options: {
  readonly kept: readonly Entry[];
  readonly low: Point;
  readonly top: Slot;
  readonly cluster: ClusterInfo;
  readonly noOp: Digest;
}): readonly Omit<Entry, keyof Ballot>[] {
  const { kept, low, top, cluster, noOp } = options;
  const bySlot = new Map(kept.map((entry) => [entry.slot, entry]));
  const entries: Omit<Entry, keyof Ballot>[] = [];
  // Below the first block there is no stamp yet; a no-op there takes the one before the cluster's first.
  let sequence = Math.max(low.sequence, sequenceOf(0, cluster.id)) as Sequence;
  for (let slot = low.slot + 1; slot <= top; slot++) {
    const entry = bySlot.get(slot) ?? { cluster: cluster.id, slot, sequence, digest: noOp };
    entries.push(entry);
    sequence = entry.sequence;
  }
  return entries;
}

function show({ slot, sequence, digest }: Entry): string {
  return `slot ${slot}, sequence ${sequence}, block ${digest.slice(0, 8)}`;
}
