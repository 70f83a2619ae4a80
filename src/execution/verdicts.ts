// Verdicts of other clusters: counts RESULTs until enough different nodes of a cluster said the same (protocol 4: one
// of a crash cluster, f + 1 of a byzantine one), and keeps those that come before their block. What is kept is bounded
// per sender, so that a node that floods pushes out its own words only; whatever was dropped is asked for again (3.4).

import type { Members } from "../cluster/members.js";
import { witnessesOf } from "../cluster/quorum.js";
import type { ClusterId, Digest, NodeIndex } from "../types/ids.js";
import { nodeKey } from "../types/ids.js";
import { limits } from "../types/limits.js";
import type { Result } from "../types/message.js";

const EARLY_PER_NODE_MIN = 16;
const KIBIBYTE = 1024;

/** Verdicts by block, the oldest dropped first. Each weighs one, and one more for each whole KiB. */
export class RecentVerdicts {
  readonly #weightMax: number;
  readonly #verdicts = new Map<Digest, Uint8Array>();
  #weight = 0;

  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  get(digest: Digest): Uint8Array | undefined {
    return this.#verdicts.get(digest);
  }

  /** The first ones of a block count. */
  add(digest: Digest, verdicts: Uint8Array): void {
    if (this.#verdicts.has(digest)) return;
    this.#verdicts.set(digest, verdicts);
    this.#weight += weightOf(verdicts);
    for (const oldest of this.#verdicts.keys()) {
      if (this.#weight <= this.#weightMax) break;
      this.take(oldest);
    }
  }

  take(digest: Digest): Uint8Array | undefined {
    const verdicts = this.#verdicts.get(digest);
    if (verdicts === undefined) return undefined;
    this.#verdicts.delete(digest);
    this.#weight -= weightOf(verdicts);
    return verdicts;
  }
}

/** What one block waits to hear from one cluster. */
interface Count {
  readonly needed: number;
  readonly heard: Set<NodeIndex>;
  readonly said: { readonly verdicts: Uint8Array; readonly final: boolean; votes: number }[];
}

interface Expected {
  readonly counts: Map<ClusterId, Count>;
  readonly isPossible: (cluster: ClusterId, verdicts: Uint8Array) => boolean;
}

export interface Settled {
  readonly cluster: ClusterId;
  readonly verdicts: Uint8Array;
}

export class VerdictCounts {
  readonly #members: Members;
  readonly #earlyPerNode: number;
  readonly #early = new Map<number, RecentVerdicts>();
  readonly #expected = new Map<Digest, Expected>();

  constructor({ members, nodes }: { readonly members: Members; readonly nodes: number }) {
    this.#members = members;
    this.#earlyPerNode = Math.max(EARLY_PER_NODE_MIN, Math.floor(limits.earlyVerdictsMax / nodes));
  }

  /** From now on counts for a block; returns what early RESULTs settle. `isPossible` tells verdicts from garbage. */
  expect(digest: Digest, clusters: readonly ClusterId[], isPossible: Expected["isPossible"]): readonly Settled[] {
    const counts = new Map(clusters.map((cluster) => [cluster, this.#newCount(cluster)]));
    this.#expected.set(digest, { counts, isPossible });
    const settled: Settled[] = [];
    for (const { cluster, node } of this.#members.nodesOf(clusters)) {
      const verdicts = this.#early.get(nodeKey({ cluster, node }))?.take(digest);
      const result = verdicts && this.add({ cluster, node, digest, verdicts, final: false });
      if (result !== undefined) settled.push(result);
    }
    return settled;
  }

  /** Clusters whose verdicts on a block are not settled, ascending. */
  awaits(digest: Digest): readonly ClusterId[] {
    const counts = this.#expected.get(digest)?.counts;
    return counts === undefined ? [] : [...counts.keys()];
  }

  /**
   * Counts one RESULT; returns the verdicts that it settles. Of 2f+1 correct nodes f+1 say the same even where some
   * have verdicts and others only final results, with which everyone comes to the same end (apply.ts).
   */
  add({ cluster, node, digest, verdicts, final }: Omit<Result, "kind">): Settled | undefined {
    const expected = this.#expected.get(digest);
    const count = expected?.counts.get(cluster);
    if (expected === undefined || count === undefined) return undefined;
    if (count.heard.has(node) || !expected.isPossible(cluster, verdicts)) return undefined;
    count.heard.add(node);
    const isSame = (said: Count["said"][number]) =>
      said.final === final && Buffer.compare(said.verdicts, verdicts) === 0;
    let same = count.said.find(isSame);
    if (same === undefined) {
      same = { verdicts: copyOf(verdicts), final, votes: 0 };
      count.said.push(same);
    }
    same.votes++;
    if (same.votes < count.needed) return undefined;
    expected.counts.delete(cluster);
    if (expected.counts.size === 0) this.#expected.delete(digest);
    return { cluster, verdicts: same.verdicts };
  }

  /** Keeps a RESULT whose block is not delivered yet. Final ones answer a question, so nobody needs them early. */
  keepEarly({ cluster, node, digest, verdicts, final }: Omit<Result, "kind">): void {
    if (final) return;
    const key = nodeKey({ cluster, node });
    let early = this.#early.get(key);
    if (early === undefined) {
      early = new RecentVerdicts(this.#earlyPerNode);
      this.#early.set(key, early);
    }
    early.add(digest, copyOf(verdicts));
  }

  #newCount(cluster: ClusterId): Count {
    return { needed: witnessesOf(this.#members.clusterOf(cluster)), heard: new Set(), said: [] };
  }
}

/** What came from the wire is a view into its whole frame, which must not stay in memory for it. */
function copyOf(verdicts: Uint8Array): Uint8Array {
  return new Uint8Array(verdicts);
}

function weightOf(verdicts: Uint8Array): number {
  return 1 + Math.floor(verdicts.length / KIBIBYTE);
}
