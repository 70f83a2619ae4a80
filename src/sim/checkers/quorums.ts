// Who voted for what, counted in the plainest way: per entry of a log the nodes that accepted it and those that
// committed it, as their own words and rows say. From it, is there a quorum? Byzantine nodes may have said anything to
// anyone, so each of them counts for every entry.

import type { Entry, Slot } from "../../types/ids.js";
import type { ClusterInfo } from "../../types/topology.js";
import type { SimNode } from "../observer.js";
import { sameThing } from "./facts.js";

interface Voters {
  readonly entry: Entry;
  readonly accepted: Set<number>;
  readonly committed: Set<number>;
  isJudged: boolean;
}

export class VotesOfCluster {
  readonly #cluster: ClusterInfo;
  readonly #liars: readonly number[];
  readonly #slots = new Map<Slot, Voters[]>();

  constructor(cluster: ClusterInfo, nodes: readonly SimNode[]) {
    this.#cluster = cluster;
    const own = nodes.filter(({ ref, isCorrect }) => ref.cluster === cluster.id && !isCorrect);
    this.#liars = own.map(({ ref }) => ref.node);
  }

  accept(node: number, entry: Entry | undefined): void {
    if (entry !== undefined) this.#of(entry).accepted.add(node);
  }

  commit(node: number, entry: Entry | undefined): void {
    if (entry !== undefined) this.#of(entry).committed.add(node);
  }

  /** Why this entry cannot be decided yet (protocol 2.1, 2.2, 3.1); undefined: it can, or was asked about before. */
  missingFor(entry: Entry): string | undefined {
    const { model, faults, nodes } = this.#cluster;
    const voters = this.#of(entry);
    if (voters.isJudged) return undefined;
    voters.isJudged = true;
    const { accepted, committed } = voters;
    const n = nodes.length;
    const accepts = new Set([...accepted, ...this.#liars]);
    if (entry.round === 0 && !accepts.has(entry.view % n)) return "its primary did not accept it in round 0";
    if (model === "crash") {
      const isEnough = entry.round === 0 ? 4 * accepts.size >= 3 * n : 2 * accepts.size > n;
      return isEnough ? undefined : `${accepts.size} of ${n} nodes accepted it`;
    }
    if (2 * accepts.size <= n + faults) return `${accepts.size} of ${n} nodes accepted it`;
    const commits = new Set([...committed, ...this.#liars]);
    return 2 * commits.size > n + faults ? undefined : `${commits.size} of ${n} nodes committed it`;
  }

  #of(entry: Entry): Voters {
    let candidates = this.#slots.get(entry.slot);
    if (candidates === undefined) {
      candidates = [];
      this.#slots.set(entry.slot, candidates);
    }
    for (const each of candidates) {
      const { view, round } = each.entry;
      if (view === entry.view && round === entry.round && sameThing(each.entry, entry)) return each;
    }
    const fresh = { entry, accepted: new Set<number>(), committed: new Set<number>(), isJudged: false };
    candidates.push(fresh);
    return fresh;
  }
}
