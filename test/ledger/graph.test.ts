// The shown ledger: names as in the paper, parent links by view, and a picture in which nothing covers anything else.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { buildGraph, type GraphView, graphDot, graphJson, labelOf, separatorOf } from "../../src/ledger/graph.js";
import { drawPicture } from "../../src/ledger/picture.js";
import { type Digest, sequenceOf } from "../../src/types/ids.js";
import { parseDrawing } from "./drawn.js";

/** Figure 6.2 of the paper: four clusters, two blocks over two of them, one over all. */
const FIGURE = `
  p1: t11 X t13 t14 Y t16
  p2: t21 X t23 t24 Y t26
  p3: t31 Z t33 t34 Y t36
  p4: t41 Z t43 t44 Y t46
`;

/** Views of a drawing whose blocks' names sort in an order that all lanes follow, after some `earlier` blocks. */
function viewsOf(drawing: string, earlier = 0): readonly GraphView[] {
  const lanes = parseDrawing(drawing);
  const order = [...new Set(lanes.flatMap(({ blocks }) => blocks))].sort();
  return lanes.map(({ cluster, blocks }) => ({
    cluster,
    info: { id: cluster, model: "crash" as const, faults: 1, nodes: [] },
    earlier,
    entries: blocks.map((name, i) => {
      const finalSequence = sequenceOf(1 + order.indexOf(name), cluster);
      return { height: earlier + i + 1, digest: name as Digest, finalSequence, requests: 1 };
    }),
  }));
}

function figure(): readonly GraphView[] {
  return viewsOf(FIGURE.replaceAll("X", "t12x").replaceAll("Z", "t12z").replaceAll("Y", "t15"));
}

describe("a graph", () => {
  it("names blocks by their places, as the paper does", () => {
    const graph = buildGraph(figure());
    const names = graph.blocks.map(({ records }) => `t${labelOf(records, separatorOf(graph))}`);
    expect(names).toContain("t12,22");
    expect(names).toContain("t32,42");
    expect(names).toContain("t15,25,35,45");
    expect(names).toContain("t16");
  });

  it("keeps numbers apart once one has two digits", () => {
    const graph = buildGraph(viewsOf("p1: a\np2: b", 9));
    expect(graph.blocks.map(({ records }) => labelOf(records, separatorOf(graph)))).toEqual(["1.10", "2.10"]);
  });

  it("links every record to the one before in its own view", () => {
    const graph = buildGraph(viewsOf("p1: a X b\np2: X c"));
    const parents = graph.blocks.flatMap(({ digest, records }) =>
      records.map(({ cluster, parent }) => `${digest} p${cluster} ${parent ?? "-"}`),
    );
    expect(parents.sort()).toEqual(["X p1 a", "X p2 -", "a p1 -", "b p1 X", "c p2 X"]);
  });

  it("is written as JSON and as DOT", () => {
    const graph = buildGraph(viewsOf("p1: a X\np2: X"));
    const { lanes, blocks } = JSON.parse(graphJson(graph)) as { lanes: object[]; blocks: { digest: string }[] };
    expect(lanes).toHaveLength(2);
    expect(blocks.map(({ digest }) => digest)).toEqual(["X", "a"]);
    const dot = graphDot(graph);
    expect(dot).toContain('bX [label="t12,21\\n1.1, 1 requests"];');
    expect(dot).toContain('bX -> ba [label="p1"];');
    expect(dot).toContain('bX -> genesis [label="p2"];');
  });
});

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function boxesOf(svg: string): readonly Box[] {
  const rects = svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" rx="6"/g);
  return [...rects].map(([, x, y, width, height]) => ({
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
  }));
}

function overlap(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

describe("a picture", () => {
  const lanes = fc.array(fc.subarray([..."ABCDEFGHIJKL"]), { minLength: 1, maxLength: 5 });

  it("has no box on another, and only arrows that point up", () => {
    fc.assert(
      fc.property(lanes, fc.integer({ min: 0, max: 20 }), (names, earlier) => {
        const drawing = names.map((lane, i) => `p${i + 1}: ${lane.join(" ")}`).join("\n");
        const svg = drawPicture(buildGraph(viewsOf(drawing, earlier)));
        const boxes = boxesOf(svg);
        for (const [i, box] of boxes.entries()) {
          for (const other of boxes.slice(i + 1)) expect(overlap(box, other)).toBe(false);
        }
        for (const [, from, to] of svg.matchAll(/d="M[\d.]+ ([\d.]+)V([\d.]+)"/g)) {
          expect(Number(from)).toBeGreaterThan(Number(to));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("has one box for neighbours and several, bridged, for others", () => {
    expect(boxesOf(drawPicture(buildGraph(viewsOf("p1: X\np2: X\np3:"))))).toHaveLength(2);
    const apart = drawPicture(buildGraph(viewsOf("p1: X\np2:\np3: X")));
    expect(boxesOf(apart)).toHaveLength(3);
    expect(apart.match(/height="8"/g)).toHaveLength(1);
  });

  it("is the same for the same ledger", () => {
    expect(drawPicture(buildGraph(figure()))).toBe(drawPicture(buildGraph(figure())));
  });
});
