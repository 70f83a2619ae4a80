// How patient a node is with its primary (protocol 5): its delays double with each view that it enters, end at a cap, and
// come back by one doubling for every 16 slots that are decided without another view.

import { describe, expect, test } from "vitest";
import type { Coordinator } from "../../src/cross/coordinator.js";
import { ViewWatch } from "../../src/node/view-watch.js";
import { noEffects } from "../../src/types/effects.js";
import type { NodeIndex, View } from "../../src/types/ids.js";
import { limits } from "../../src/types/limits.js";
import type { FailureModel } from "../../src/types/topology.js";
import { TestNetwork } from "../support/network.js";

const INTRA_MS = 1000;
/** Slots that take one doubling back. */
const CALM = 16;

/** Of a node of its own in a cluster whose views the test changes. */
async function watch(model: FailureModel = "byzantine", node: NodeIndex = 3) {
  const network = await TestNetwork.create({ models: [model], faults: model === "crash" ? 2 : 1 });
  const { members, topology } = network;
  const { id: cluster, nodes } = members.clusterOf(network.nodes[0]?.ref.cluster ?? (1 as never));
  expect([nodes.length > node, topology.timers.intraMs]).toEqual([true, INTRA_MS]);
  const engine = { view: 0, isOpen: true, opening: undefined };
  const primaryOf = () => ({ cluster, node: engine.view % nodes.length });
  const coordinator = { engine, primaryOf } as unknown as Coordinator;
  const viewWatch = new ViewWatch({ self: { cluster, node }, members, coordinator, intraMs: INTRA_MS });
  return {
    viewWatch,
    /** It enters these views, one after the other. */
    enter(...views: readonly View[]): void {
      for (const view of views) {
        engine.view = view;
        engine.isOpen = false;
        viewWatch.onChanged(noEffects());
      }
    },
    open(): void {
      engine.isOpen = true;
      viewWatch.onChanged(noEffects());
    },
    decide(slots: number, elapsedMs = 0): void {
      for (let slot = 0; slot < slots; slot++) viewWatch.onDecided(0, { elapsedMs, isWork: true });
    },
    get half(): number {
      return viewWatch.halfMs;
    },
    get opening(): number {
      return viewWatch.openingMs;
    },
  };
}

describe("the time for a primary, and for a view to open", () => {
  test("doubles with every view that is entered, up to the cap", async () => {
    const node = await watch();
    const delays = [[node.half, node.opening]];
    for (let view = 1; view <= 6; view++) {
      node.enter(view);
      delays.push([node.half, node.opening]);
    }
    expect(limits.timeoutMaxMs).toBe(10_000);
    expect(delays).toEqual([
      [500, 1000],
      [1000, 1000],
      [2000, 2000],
      [4000, 4000],
      [8000, 8000],
      [10_000, 10_000],
      [10_000, 10_000],
    ]);
  });

  test("doubles once for a view, however many were skipped, and not again when it opens", async () => {
    const node = await watch();
    node.enter(7);
    expect(node.half).toBe(1000);
    node.open();
    expect(node.half).toBe(1000);
  });

  test("stays at the cap after however many views, and is no number beyond it", async () => {
    const node = await watch();
    for (let view = 1; view <= 1100; view++) node.enter(view);
    expect([node.half, node.opening]).toEqual([limits.timeoutMaxMs, limits.timeoutMaxMs]);
  });
});

describe("progress", () => {
  test("takes one doubling back for 16 slots, not for 15, and none below the first", async () => {
    const node = await watch();
    node.enter(1, 2, 3);
    node.open();
    const halves: number[] = [];
    for (const slots of [CALM - 1, 1, CALM - 1, 1, CALM, CALM, CALM]) {
      node.decide(slots);
      halves.push(node.half);
    }
    expect(halves).toEqual([4000, 2000, 2000, 1000, 500, 500, 500]);
    node.enter(4);
    expect(node.half, "what was calm for long is not saved up").toBe(1000);
  });

  test("is counted anew in each view", async () => {
    const node = await watch();
    node.enter(1);
    node.open();
    node.decide(CALM - 1);
    node.enter(2);
    node.open();
    node.decide(CALM - 1);
    expect(node.half).toBe(2000);
    node.decide(1);
    expect(node.half).toBe(1000);
  });

  test("takes back what is beyond the cap, too, one after the other", async () => {
    const node = await watch();
    node.enter(1, 2, 3, 4, 5, 6);
    node.decide(CALM);
    expect(node.half, "16 seconds").toBe(limits.timeoutMaxMs);
    node.decide(CALM);
    expect(node.half).toBe(8000);
  });
});

describe("a primary that is slow since all are busy", () => {
  test("has four times what slots usually take, and never more than four timers", async () => {
    const node = await watch();
    node.decide(200, 400);
    // Slots are asked about after twice what they usually take.
    expect(Math.round(node.half)).toBe(800);
    node.decide(200, 60_000);
    expect(node.half).toBe(4 * (INTRA_MS / 2));
    node.decide(200, 1);
    expect(node.half).toBe(INTRA_MS / 2);
  });

  test("has that doubled with the views, within the cap", async () => {
    const node = await watch();
    node.decide(200, 60_000);
    const halves = [1, 2, 3].map((view) => {
      node.enter(view);
      return node.half;
    });
    expect(halves).toEqual([4000, 8000, 10_000]);
  });
});

describe("nodes of a crash cluster", () => {
  test("give a view a quarter of the timer more for each node before them", async () => {
    const openings: number[] = [];
    for (const node of [0, 1, 4]) {
      const { enter, viewWatch } = await watch("crash", node);
      enter(1, 2);
      openings.push(viewWatch.openingMs);
    }
    expect(openings).toEqual([2000, 2250, 3000]);
  });

  test("let those go first whose turn it is, half a timer each; byzantine ones do not", async () => {
    const waits: number[] = [];
    for (const node of [1, 2, 4]) waits.push((await watch("crash", node)).viewWatch.standBackMs);
    expect(waits).toEqual([0, 500, 1500]);
    const second = await watch("crash", 0);
    second.enter(3);
    expect(second.viewWatch.standBackMs, "two after the primary of view 3").toBe(500);
    expect((await watch("byzantine", 3)).viewWatch.standBackMs).toBe(0);
  });
});
