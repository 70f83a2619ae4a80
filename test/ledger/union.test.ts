// The united graph, drawn: which drawings have a cycle (protocol 9, scenario 1), and what hangs together in it.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ClusterView, findCycle, unite } from "../../src/ledger/union.js";
import type { Digest, Sequence } from "../../src/types/ids.js";
import { parseDrawing } from "./drawn.js";

/** The views of a drawing as they are, cycles and all: a block's name is its digest. */
function viewsOf(drawing: string): readonly ClusterView[] {
  return parseDrawing(drawing).map(({ cluster, blocks }) => ({
    cluster,
    entries: blocks.map((name, i) => ({ height: i + 1, digest: name as Digest, finalSequence: i as Sequence })),
  }));
}

const cycleOf = (drawing: string): readonly string[] | undefined => findCycle(unite(viewsOf(drawing)));

/** The same cycle begun at its smallest name. */
function rotated(cycle: readonly string[] | undefined): readonly string[] {
  if (cycle === undefined) return [];
  const at = cycle.indexOf([...cycle].sort()[0] as string);
  return [...cycle.slice(at), ...cycle.slice(0, at)];
}

describe("a cycle", () => {
  it.each([
    ["p1: a b c", []],
    ["p1: a X b\np2: c X d", []],
    ["p1: X1 X3\np2: X1 X2\np3: X2 X3", []],
    ["p1: X Y\np2: Y X", ["X", "Y"]],
    ["p1: X1 X3\np2: X2 X1\np3: X3 X2", ["X1", "X3", "X2"]],
    ["p1: a X1 b X3 c\np2: d X2 e X1\np3: X3 f X2 g\np4: h", ["X1", "b", "X3", "f", "X2", "e"]],
  ])("is found where there is one: %j", (drawing, expected) => {
    expect(rotated(cycleOf(drawing))).toEqual(expected);
  });

  it("never appears when every view follows one order", () => {
    const order = ["A", "B", "C", "D", "E", "F"];
    const lane = fc.subarray(order);
    fc.assert(
      fc.property(fc.array(lane, { minLength: 1, maxLength: 4 }), (lanes) => {
        const drawing = lanes.map((names, i) => `p${i + 1}: ${names.join(" ")}`).join("\n");
        expect(cycleOf(drawing)).toBeUndefined();
      }),
    );
  });

  it("is a real one: each of its blocks follows the one before in some view", () => {
    const lane = fc.shuffledSubarray(["A", "B", "C", "D", "E"]);
    fc.assert(
      fc.property(fc.array(lane, { minLength: 2, maxLength: 4 }), (lanes) => {
        const views = viewsOf(lanes.map((names, i) => `p${i + 1}: ${names.join(" ")}`).join("\n"));
        const dag = unite(views);
        const cycle = findCycle(dag) ?? [];
        for (const [i, digest] of cycle.entries()) {
          expect(dag.get(digest)?.next.has(cycle[(i + 1) % cycle.length] as Digest)).toBe(true);
        }
      }),
    );
  });
});

it("a cross-shard block is one vertex with a record in each of its views", () => {
  const dag = unite(viewsOf("p1: a X\np2: X b"));
  expect([...dag.keys()]).toEqual(["a", "X", "b"]);
  expect([...(dag.get("X" as Digest)?.records ?? [])].map(([cluster, { height }]) => [cluster, height])).toEqual([
    [1, 2],
    [2, 1],
  ]);
  expect([...(dag.get("X" as Digest)?.next ?? [])]).toEqual(["b"]);
});
