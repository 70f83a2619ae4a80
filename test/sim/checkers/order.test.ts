// I2, I3, I4: what the checkers of order, of cross-shard blocks and of cycles report, and what they let pass.

import { describe, expect, test } from "vitest";
import { checkpointKey } from "../../../src/ledger/keys.js";
import { makeCross } from "../../../src/sim/checkers/cross.js";
import { findCycle, makeAcyclic, makeOrder } from "../../../src/sim/checkers/order.js";
import { type ClusterId, type Digest, sequenceOf } from "../../../src/types/ids.js";
import { certificateSchema } from "../../../src/types/schema.js";
import { paymentBlock, signedOf } from "../../support/forge.js";
import { bendRecords, reasonsOf } from "./bent.js";
import { Drawn, digestOf, emptyBlock } from "./drawn.js";

describe("I2, order along a view", () => {
  test("of a real run is fine", async () => {
    expect(await reasonsOf(makeOrder)).toEqual([]);
  });

  test.each([
    [
      "a parent that is not the record before",
      { parent: digestOf(9) },
      /record 2 of c1n0 does not name the record before/,
    ],
    [
      "a final sequence that does not rise",
      { finalSequence: 1 as never },
      /record 2 of c1n0 has final sequence 0.1, the/,
    ],
    ["a time that goes back", { time: 1 }, /record 2 of c1n0 is older than the one before/],
  ])("%s", async (_, change, expected) => {
    const bend = bendRecords(/c1/, ({ height }) => (height === 2 ? change : undefined));
    expect(await reasonsOf(makeOrder, { bend })).toContainEqual(expect.stringMatching(expected));
  });

  test("a gap in the heights, unless a stable checkpoint stands for what lies below", async () => {
    const drawn = await Drawn.create(makeOrder);
    const { network } = drawn;
    const body = {
      slot: 5,
      sequence: sequenceOf(5, 1 as ClusterId),
      height: 2,
      record: digestOf(1),
      state: digestOf(2),
    };
    const checkpoint = {
      kind: "checkpoint",
      cluster: 1 as ClusterId,
      node: 0,
      finalSequence: body.sequence,
      ...body,
    } as const;
    const value = certificateSchema.encode({ cluster: 1, commits: [signedOf(network, "c1n0", checkpoint)] });
    drawn.turn("c1n1", { persist: [{ key: checkpointKey(), value }] });
    drawn.deliver(emptyBlock(1, 1), { nodes: (name) => name === "c1n0" });
    drawn.deliver(emptyBlock(2, 1), { nodes: (name) => name === "c1n0" });
    drawn.deliver(emptyBlock(3, 1));
    expect(drawn.reasons()).toEqual(["I2 c1n2 has record 3 without the one before it"]);
  });
});

describe("I3, cross-shard blocks", () => {
  test("of a real run are fine", async () => {
    expect(await reasonsOf(makeCross, { models: ["crash", "byzantine"] })).toEqual([]);
  });

  test.each([
    ["results", { results: Uint8Array.of(8) }, /the results of its clusters differ/],
    ["final sequences", { finalSequence: 131_075 as never }, /cluster 1 has another final sequence/],
    ["vectors", { sequences: [65_537, 131_074] as never }, /the vectors of its clusters differ/],
  ])("%s that differ between views", async (_, change, expected) => {
    const bend = bendRecords(/c2/, ({ sequences }) => (sequences.length > 1 ? change : undefined));
    expect(await reasonsOf(makeCross, { bend })).toContainEqual(expect.stringMatching(expected));
  });

  test.each([
    ["a final sequence that is not the largest", { finalSequence: 65_537 as never }, /is not the largest it names/],
    ["a vector of other clusters than the block's", { sequences: [65_537] as never }, /it involves 1,2, not 1/],
    ["a vector without the view's own cluster", { sequences: [65_538, 65_539] as never }, /does not name cluster 1/],
    ["a vector out of order", { sequences: [65_538, 65_537] as never }, /its vector names clusters 2,1/],
  ])("%s", async (_, change, expected) => {
    const bend = bendRecords(/c1/, ({ sequences }) => (sequences.length > 1 ? change : undefined));
    expect(await reasonsOf(makeCross, { bend })).toContainEqual(expect.stringMatching(expected));
  });

  test("a block that one of its clusters never records, once everything has healed", async () => {
    const lacking = async (healed: boolean) => {
      const drawn = await Drawn.create(makeCross, { models: ["crash", "crash"] });
      drawn.deliver(paymentBlock(drawn.network, 1, 2), { clusters: [1] });
      return drawn.reasons({ healed });
    };
    expect(await lacking(true)).toEqual([
      expect.stringMatching(/^I3 block .* of clusters 1,2 has no record in cluster 2/),
    ]);
    expect(await lacking(false)).toEqual([]);
  });

  test("a block with two records in one view, and one whose content nobody has", async () => {
    const drawn = await Drawn.create(makeCross);
    const block = paymentBlock(drawn.network, 1);
    for (let i = 0; i < 2; i++) drawn.deliver(block);
    drawn.deliver(emptyBlock(1, 1));
    expect(drawn.reasons()).toEqual([
      expect.stringMatching(/record 2 of cluster 1, block .*: it is record 1, too/),
      expect.stringMatching(/cluster 1 has another final sequence/),
      expect.stringMatching(/the vectors of its clusters differ/),
      expect.stringMatching(/record 3 .* the block itself is not stored/),
    ]);
  });
});

describe("I4, no cycles", () => {
  const graphOf = (...edges: readonly (readonly [number, number])[]) => {
    const graph = new Map<Digest, Set<Digest>>();
    for (const [from, to] of edges) {
      for (const n of [from, to]) if (!graph.has(digestOf(n))) graph.set(digestOf(n), new Set());
      graph.get(digestOf(from))?.add(digestOf(to));
    }
    return graph;
  };

  test("in a real run", async () => {
    expect(await reasonsOf(makeAcyclic, { models: ["crash", "byzantine"] })).toEqual([]);
  });

  test("the plain search finds a cycle behind a tail, and none in a lattice", () => {
    expect(findCycle(graphOf([1, 2], [2, 3], [3, 2], [3, 4]))?.length).toBe(3);
    expect(findCycle(graphOf([1, 1]))).toEqual([digestOf(1), digestOf(1)]);
    expect(findCycle(graphOf([1, 2], [1, 3], [2, 4], [3, 4], [1, 4]))).toBeUndefined();
  });

  // Scenario 1 of protocol 9.
  test("the cycle through three clusters, any two of which meet in one only", async () => {
    const drawn = await Drawn.create(makeAcyclic, { models: ["crash", "crash", "crash"] });
    const [x1, x2, x3] = [emptyBlock(1, 1, 2), emptyBlock(2, 2, 3), emptyBlock(3, 1, 3)];
    const views: readonly (readonly [number, typeof x1, typeof x1])[] = [
      [1, x1, x3],
      [2, x2, x1],
      [3, x3, x2],
    ];
    for (const [cluster, before, after] of views) {
      drawn.deliver(before, { clusters: [cluster], counter: 1 });
      drawn.deliver(after, { clusters: [cluster], counter: 2 });
    }
    expect(drawn.reasons()).toEqual([expect.stringMatching(/^I4 blocks come before themselves: (\w+ -> ){3}\w+$/)]);
  });
});
