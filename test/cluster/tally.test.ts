// Counting votes (protocol 2, 2.3): the first vote of a node in a ballot counts, and what one node can make others keep
// is bounded.

import { describe, expect, test } from "vitest";
import { proofOf, Tally } from "../../src/cluster/tally.js";
import { type ClusterId, type Digest, type Entry, sequenceOf } from "../../src/types/ids.js";
import type { ClusterInfo, FailureModel, NodeInfo } from "../../src/types/topology.js";

const signed = { body: new Uint8Array(1), signature: new Uint8Array(64) };

function entryOf(change: Partial<Entry> = {}): Entry {
  const cluster = 1 as ClusterId;
  const digest = "ab".repeat(32) as Digest;
  return { cluster, view: 0, round: 0, slot: 1, sequence: sequenceOf(1, cluster), digest, ...change };
}

function clusterOf(model: FailureModel, n: number): ClusterInfo {
  return { id: 1 as ClusterId, model, faults: 1, nodes: Array.from({ length: n }, () => ({}) as NodeInfo) };
}

describe("a vote", () => {
  test("counts once for each node and ballot, with equal votes of others", () => {
    const tally = new Tally();
    const [entry, other] = [entryOf(), entryOf({ slot: 2 })];
    expect(tally.add({ entry, node: 0, signed })?.voters).toEqual(new Set([0]));
    expect(tally.add({ entry, node: 0, signed })).toBeUndefined();
    expect(tally.add({ entry: other, node: 0, signed })).toBeUndefined();
    expect(tally.add({ entry: other, node: 1, signed })?.voters).toEqual(new Set([1]));
    expect(tally.add({ entry, node: 2, signed })?.voters).toEqual(new Set([0, 2]));
    expect(tally.add({ entry: { ...entry, round: 1 }, node: 0, signed })?.voters).toEqual(new Set([0]));
    expect(tally.voteOf(0, { view: 0, round: 0 })).toEqual(entry);
    expect(tally.voteOf(3, { view: 0, round: 0 })).toBeUndefined();
    expect(tally.countOf(entry)?.voters.size).toBe(2);
  });

  test("makes a proof of as many signatures as are asked for, of different nodes", () => {
    const tally = new Tally();
    const entry = entryOf();
    for (const node of [3, 1, 2]) tally.add({ entry, node, signed: { ...signed, body: Uint8Array.of(node) } });
    tally.add({ entry, node: 0, signed: undefined });
    const count = tally.countOf(entry);
    expect(count?.voters.size).toBe(4);
    expect(count === undefined ? [] : proofOf(count, 2).map(({ body }) => body[0])).toEqual([3, 1]);
  });

  test("of an old ballot gives way to newer ones, and a node's thousand ballots leave four", () => {
    const tally = new Tally();
    const [first, last] = [entryOf({ view: 1 }), entryOf({ view: 999 })];
    for (let view = 1; view <= 999; view++) tally.add({ entry: entryOf({ view }), node: 0, signed });
    expect(tally.countOf(first)).toBeUndefined();
    expect(tally.countOf(last)?.voters).toEqual(new Set([0]));
    expect(tally.add({ entry: first, node: 0, signed })).toBeUndefined();
    const kept = Array.from({ length: 999 }, (_, i) => tally.countOf(entryOf({ view: i + 1 }))).filter(Boolean);
    expect(kept).toHaveLength(4);
    // Others' votes for what it dropped stay.
    tally.add({ entry: last, node: 1, signed });
    for (let view = 1000; view < 1010; view++) tally.add({ entry: entryOf({ view }), node: 0, signed });
    expect(tally.countOf(last)?.voters).toEqual(new Set([1]));
  });
});

describe("votes of round 0 that can reach no fast quorum any more (3.1)", () => {
  const cases: readonly (readonly [string, FailureModel, number, readonly (readonly [number, number])[], boolean])[] = [
    ["nobody voted", "crash", 3, [], false],
    [
      "all agree so far",
      "crash",
      3,
      [
        [0, 1],
        [1, 1],
      ],
      false,
    ],
    [
      "one of three differs",
      "crash",
      3,
      [
        [0, 1],
        [1, 2],
      ],
      true,
    ],
    [
      "one of five differs",
      "crash",
      5,
      [
        [0, 1],
        [1, 1],
        [2, 2],
      ],
      false,
    ],
    [
      "two of five differ",
      "crash",
      5,
      [
        [0, 1],
        [1, 2],
        [2, 2],
      ],
      true,
    ],
    [
      "all but the primary agree",
      "crash",
      5,
      [
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 1],
        [0, 2],
      ],
      true,
    ],
    [
      "two of four differ",
      "byzantine",
      4,
      [
        [0, 1],
        [1, 1],
        [2, 2],
        [3, 2],
      ],
      true,
    ],
    [
      "the primary is missing",
      "byzantine",
      4,
      [
        [1, 1],
        [2, 1],
        [3, 2],
      ],
      false,
    ],
  ];
  test.each(cases)("%s (%s, n=%i)", (_, model, n, votes, expected) => {
    const tally = new Tally();
    for (const [node, slot] of votes) tally.add({ entry: entryOf({ slot }), node, signed: undefined });
    expect(tally.isOutOfReach(clusterOf(model, n), 0)).toBe(expected);
  });

  test("votes of other ballots say nothing", () => {
    const tally = new Tally();
    tally.add({ entry: entryOf(), node: 0, signed });
    tally.add({ entry: entryOf({ slot: 2, view: 1 }), node: 1, signed });
    tally.add({ entry: entryOf({ slot: 2, round: 1 }), node: 2, signed });
    expect(tally.isOutOfReach(clusterOf("crash", 3), 0)).toBe(false);
  });
});
