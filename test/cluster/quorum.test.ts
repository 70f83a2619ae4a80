// Quorum arithmetic against the dumbest possible version of itself: for small clusters every set of voters is tried,
// for larger ones the inequality that the sets obey (protocol 1, 3.1, 5).

import { describe, expect, test } from "vitest";
import {
  fastQuorumOf,
  isQuorum,
  primaryOf,
  quorumOf,
  sameEntry,
  sameVote,
  voteKey,
  witnessesOf,
} from "../../src/cluster/quorum.js";
import { type ClusterId, type Digest, type Entry, sequenceOf } from "../../src/types/ids.js";
import type { ClusterInfo, FailureModel, NodeInfo } from "../../src/types/topology.js";

function clusterOf(model: FailureModel, n: number, faults: number): ClusterInfo {
  return { id: 1 as ClusterId, model, faults, nodes: Array.from({ length: n }, () => ({}) as NodeInfo) };
}

/** All clusters of up to `nMax` nodes with every f that their size allows. */
function clusters(model: FailureModel, nMax: number): { name: string; n: number; f: number; cluster: ClusterInfo }[] {
  const perFault = model === "crash" ? 2 : 3;
  const all = [];
  for (let n = 1; n <= nMax; n++) {
    for (let f = 0; perFault * f + 1 <= n; f++)
      all.push({ name: `n=${n} f=${f}`, n, f, cluster: clusterOf(model, n, f) });
  }
  return all;
}

/** Sets of nodes as bits. */
function setsOf(n: number, size: number): number[] {
  return Array.from({ length: 2 ** n }, (_, set) => set).filter((set) => count(set) === size);
}

function count(set: number): number {
  let bits = 0;
  for (let rest = set; rest > 0; rest &= rest - 1) bits++;
  return bits;
}

const SMALL = 8;

describe("crash clusters", () => {
  test.each(clusters("crash", SMALL))("any two quorums share a node, tried: $name", ({ n, cluster }) => {
    const quorums = setsOf(n, quorumOf(cluster));
    for (const a of quorums) for (const b of quorums) expect(a & b).not.toBe(0);
  });

  test.each(clusters("crash", 20))("a quorum survives f failures, and two share a node: $name", ({ n, f, cluster }) => {
    expect(quorumOf(cluster)).toBeLessThanOrEqual(n - f);
    expect(2 * quorumOf(cluster)).toBeGreaterThan(n);
    if (n === 2 * f + 1) expect(quorumOf(cluster)).toBe(f + 1);
    expect(witnessesOf(cluster)).toBe(1);
  });

  // Scenario 3 of protocol 9: n = 3 with a fast quorum of 2 cannot tell.
  test.each(clusters("crash", 6))(
    "any q promises tell what a fast quorum decided from any rival, tried: $name",
    ({ n, cluster }) => {
      const fast = fastQuorumOf(cluster);
      const everyone = 2 ** n - 1;
      for (const deciders of setsOf(n, fast)) {
        for (const promised of setsOf(n, quorumOf(cluster))) {
          const needed = count(promised) - (n - fast);
          expect(count(deciders & promised)).toBeGreaterThanOrEqual(needed);
          // A rival has at most everyone else.
          expect(count(everyone & ~deciders & promised)).toBeLessThan(needed);
        }
      }
    },
  );

  test.each(clusters("crash", 20))(
    "a fast quorum is ceil(3n/4), and outvotes rivals in any q: $name",
    ({ n, cluster }) => {
      const fast = fastQuorumOf(cluster);
      expect(fast).toBe(Math.ceil((3 * n) / 4));
      expect(fast).toBeGreaterThanOrEqual(quorumOf(cluster));
      expect(quorumOf(cluster) - (n - fast)).toBeGreaterThan(n - fast);
    },
  );

  test("as published: 3 of 3, 4 of 5", () => {
    expect([3, 4, 5].map((n) => fastQuorumOf(clusterOf("crash", n, 1)))).toEqual([3, 3, 4]);
  });
});

describe("byzantine clusters", () => {
  test.each(clusters("byzantine", SMALL))("any two quorums share a correct node, tried: $name", ({ n, f, cluster }) => {
    const quorums = setsOf(n, quorumOf(cluster));
    for (const a of quorums) for (const b of quorums) expect(count(a & b)).toBeGreaterThan(f);
  });

  test.each(clusters("byzantine", 20))(
    "a quorum survives f failures, and two share a correct node: $name",
    ({ n, f, cluster }) => {
      expect(quorumOf(cluster)).toBeLessThanOrEqual(n - f);
      expect(2 * quorumOf(cluster) - n).toBeGreaterThan(f);
      if (n === 3 * f + 1) expect(quorumOf(cluster)).toBe(2 * f + 1);
      expect(fastQuorumOf(cluster)).toBe(quorumOf(cluster));
      expect(witnessesOf(cluster)).toBe(f + 1);
    },
  );

  // Scenario 9 of protocol 9.
  test("the published 2f + 1 of more than 3f + 1 nodes would split", () => {
    const [n, f] = [6, 1];
    const overlap = 2 * (2 * f + 1) - n;
    expect(overlap).toBeLessThanOrEqual(f);
    expect(2 * quorumOf(clusterOf("byzantine", n, f)) - n).toBeGreaterThan(f);
  });
});

describe.each(["crash", "byzantine"] as const)("votes of %s clusters", (model) => {
  const cluster = clusterOf(model, model === "crash" ? 5 : 4, 1);
  const n = cluster.nodes.length;

  test("the primary of view v is node v mod n", () => {
    expect([0, 1, n - 1, n, 2 * n + 1].map((view) => primaryOf(cluster, view))).toEqual([0, 1, n - 1, 0, 1]);
  });

  test.each([0, 1, 2])("a round-0 quorum includes the primary, one of round 1 need not: view %i", (view) => {
    const primary = primaryOf(cluster, view);
    for (let set = 0; set < 2 ** n; set++) {
      const voters = new Set(Array.from({ length: n }, (_, i) => i).filter((i) => (set >> i) % 2 === 1));
      const isFast = voters.size >= fastQuorumOf(cluster) && voters.has(primary);
      expect(isQuorum(cluster, { view, round: 0 }, voters)).toBe(isFast);
      expect(isQuorum(cluster, { view, round: 1 }, voters)).toBe(voters.size >= quorumOf(cluster));
    }
  });
});

test("votes count together only with equal ballot, slot, sequence and digest", () => {
  const entry: Entry = {
    cluster: 1 as ClusterId,
    view: 2,
    round: 1,
    slot: 3,
    sequence: sequenceOf(4, 1 as ClusterId),
    digest: "ab".repeat(32) as Digest,
  };
  const others: Entry[] = [
    { ...entry, slot: 4 },
    { ...entry, sequence: sequenceOf(5, 1 as ClusterId) },
    { ...entry, digest: "cd".repeat(32) as Digest },
  ];
  for (const other of others) {
    expect([sameEntry(entry, other), sameVote(entry, other), voteKey(entry) === voteKey(other)]).toEqual([
      false,
      false,
      false,
    ]);
  }
  for (const other of [{ ...entry, view: 3 }, { ...entry, round: 0 } as const]) {
    expect([sameEntry(entry, other), sameVote(entry, other), voteKey(entry) === voteKey(other)]).toEqual([
      true,
      false,
      false,
    ]);
  }
  expect(voteKey({ ...entry })).toBe(voteKey(entry));
});
