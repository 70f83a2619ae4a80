// Quorum arithmetic against the dumbest possible version of itself: all subsets of a small cluster.

import { expect, it } from "vitest";
import { fastQuorumOf, isQuorum, primaryOf, quorumOf, witnessesOf } from "../../src/cluster/quorum.js";
import type { ClusterId, PublicKey } from "../../src/types/ids.js";
import type { ClusterInfo, FailureModel } from "../../src/types/topology.js";

const NODES_MAX = 10;

function clusterOf(model: FailureModel, n: number, faults: number): ClusterInfo {
  const id = 1 as ClusterId;
  const nodes = Array.from({ length: n }, (_, index) => {
    return { id: `n${index}`, cluster: id, index, key: `${index}` as PublicKey, address: "" };
  });
  return { id, model, faults, nodes };
}

function* clusters(model: FailureModel): Generator<ClusterInfo> {
  const least = model === "crash" ? 2 : 3;
  for (let n = 1; n <= NODES_MAX; n++) {
    for (let faults = 0; least * faults + 1 <= n; faults++) yield clusterOf(model, n, faults);
  }
}

/** Smallest number of common members of two subsets of n with `a` and `b` members, by trying all. */
function leastCommon(n: number, a: number, b: number): number {
  const bits = (set: number) => set.toString(2).replaceAll("0", "").length;
  const subsets = Array.from({ length: 2 ** n }, (_, set) => set);
  const ofA = subsets.find((set) => bits(set) === a) as number;
  return Math.min(...subsets.filter((set) => bits(set) === b).map((set) => bits(set & ofA)));
}

it("with the smallest n the quorums are the paper's f+1 and 2f+1", () => {
  for (let f = 1; f <= 5; f++) {
    expect(quorumOf(clusterOf("crash", 2 * f + 1, f))).toBe(f + 1);
    expect(quorumOf(clusterOf("byzantine", 3 * f + 1, f))).toBe(2 * f + 1);
  }
});

it("two quorums share a node, of byzantine clusters a correct one, and the correct nodes are a quorum", () => {
  for (const model of ["crash", "byzantine"] as const) {
    for (const cluster of clusters(model)) {
      const n = cluster.nodes.length;
      const q = quorumOf(cluster);
      const least = model === "crash" ? 1 : cluster.faults + 1;
      expect(leastCommon(n, q, q), `${model} n=${n} f=${cluster.faults}`).toBeGreaterThanOrEqual(least);
      expect(q).toBeLessThanOrEqual(n - cluster.faults);
    }
  }
});

it("of any q nodes more have voted for a round-0 decision of a crash cluster than can have voted for a rival", () => {
  for (const cluster of clusters("crash")) {
    const n = cluster.nodes.length;
    const fast = fastQuorumOf(cluster);
    const q = quorumOf(cluster);
    // The rival has at most the nodes outside the fast quorum; the recovery threshold is q - (n - fast) (protocol 5).
    const threshold = q - (n - fast);
    expect(leastCommon(n, q, fast)).toBeGreaterThanOrEqual(threshold);
    expect(threshold, `n=${n}`).toBeGreaterThan(0);
  }
});

it("a round-0 quorum includes the primary of its view", () => {
  const cluster = clusterOf("byzantine", 4, 1);
  expect(isQuorum(cluster, { view: 1, round: 0 }, new Set([0, 2, 3]))).toBe(false);
  expect(isQuorum(cluster, { view: 1, round: 0 }, new Set([0, 1, 3]))).toBe(true);
  expect(isQuorum(cluster, { view: 1, round: 1 }, new Set([0, 2, 3]))).toBe(true);
});

it("the primary goes round with the view", () => {
  const cluster = clusterOf("crash", 3, 1);
  expect([0, 1, 2, 3].map((view) => primaryOf(cluster, view))).toEqual([0, 1, 2, 0]);
});

it("so many equal answers have a correct one among them", () => {
  expect(witnessesOf(clusterOf("crash", 3, 1))).toBe(1);
  expect(witnessesOf(clusterOf("byzantine", 7, 2))).toBe(3);
});
