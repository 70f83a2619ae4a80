// Partitions that are no plain split (fault F20): a bridge, where one node hears both halves and these not each other,
// and a ring, where everybody hears a majority and everybody another one. Nothing is decided twice; where some quorum
// of nodes all hear each other the cluster goes on, elsewhere it stops; and healed, it goes on soon.

import { describe, expect, test } from "vitest";
import type { FailureModel } from "../../../src/types/topology.js";
import { busyPlan, Cut, clusterOf, countWithin, direct } from "./run.js";

const CUT_FROM_MS = 2000;
const HEALED_AT_MS = 12_000;
const SEEDS = [1, 2];
/** Some views may have to pass, whose times have grown to several seconds. */
const BACK_WITHIN_MS = 10_000;

type Hears = (a: number, b: number, nodes: number) => boolean;

const bridge: Hears = (a, b, nodes) => {
  const middle = nodes >> 1;
  return a === middle || b === middle || a < middle === b < middle;
};

/** Each hears as many of its neighbours on both sides as make it a majority, or a byzantine quorum. */
const ring =
  (neighbours: number): Hears =>
  (a, b, nodes) =>
    Math.min((a - b + nodes) % nodes, (b - a + nodes) % nodes) <= neighbours;

interface Shape {
  readonly name: string;
  readonly model: FailureModel;
  readonly faults: number;
  readonly hears: Hears;
  /** Does a quorum of nodes hear each other, the primary among them? */
  readonly goesOn: boolean;
}

const shapes: readonly Shape[] = [
  { name: "a bridge of three", model: "crash", faults: 1, hears: bridge, goesOn: true },
  { name: "a bridge of five", model: "crash", faults: 2, hears: bridge, goesOn: true },
  { name: "a bridge of four", model: "byzantine", faults: 1, hears: bridge, goesOn: true },
  {
    name: "a bridge of seven, whose halves are too small",
    model: "byzantine",
    faults: 2,
    hears: bridge,
    goesOn: false,
  },
  { name: "a ring of five", model: "crash", faults: 2, hears: ring(1), goesOn: true },
  { name: "a ring of four", model: "byzantine", faults: 1, hears: ring(1), goesOn: false },
  { name: "a ring of seven", model: "byzantine", faults: 2, hears: ring(2), goesOn: false },
];

describe.each(SEEDS)("seed %i", (seed) => {
  test.each(shapes)("$name ($model)", async ({ model, faults, hears, goesOn }) => {
    const cluster = clusterOf(model, faults);
    let cutLinks = 0;
    const run = await direct(busyPlan(seed, [cluster], HEALED_AT_MS), (world) => {
      const cut = Cut.between(world, (from, to) => hears(from.ref.node, to.ref.node, cluster.nodes));
      cutLinks = cut.size;
      world.queue.at(CUT_FROM_MS, () => cut.set(true));
      return () => cut.set(false);
    });
    expect(cutLinks).toBeGreaterThan(0);
    const during = countWithin(run.answers, CUT_FROM_MS + 500, HEALED_AT_MS);
    if (goesOn) expect(during, `seed ${seed}`).toBeGreaterThan(30);
    else expect(during, `seed ${seed}`).toBe(0);
    expect(countWithin(run.answers, HEALED_AT_MS, HEALED_AT_MS + BACK_WITHIN_MS), `seed ${seed}`).toBeGreaterThan(0);
  });
});
