// Links that come and go (fault F23): the primary's, each at its own pace, for as long as the run; and a swizzle, in
// which one node after the other loses all of its links and they come back in another order. The network goes on or
// stops, says nothing twice, and time-outs that have grown do not outlive the fault by more than their cap.

import { describe, expect, test } from "vitest";
import type { ClusterPlan } from "../../../src/sim/plan.js";
import type { World } from "../../../src/sim/world.js";
import { limits } from "../../../src/types/limits.js";
import { busyPlan, Cut, clusterOf, countWithin, type Directed, direct, type Heal } from "./run.js";

const FROM_MS = 2000;
const HEALED_AT_MS = 12_000;
/** A time-out that is not capped has grown to more than this by then. */
const MINUTES_MS = 180_000;
/** The next view may have to wait for the cap, and opens then. */
const EXCHANGE_MS = 2000;
const SEED = 1;
const NETWORKS: readonly (readonly [string, readonly ClusterPlan[]])[] = [
  ["a crash cluster of three", [clusterOf("crash")]],
  ["a crash cluster of five", [clusterOf("crash", 2)]],
  ["a byzantine cluster of four", [clusterOf("byzantine")]],
  ["a crash and a byzantine cluster", [clusterOf("crash"), clusterOf("byzantine")]],
];

/** Each link of the first primary to its cluster goes down and up, out of step with the others. */
function flap(world: World): Heal {
  let isOver = false;
  const mates = world.hosts.filter(({ ref }) => ref.cluster === 1 && ref.node > 0);
  const cuts = mates.map((mate, i) => {
    const cut = Cut.between(world, (a, b) => !((a === mate && b.name === "c1n0") || (b === mate && a.name === "c1n0")));
    const change = (isDown: boolean): void => {
      if (isOver) return;
      cut.set(isDown);
      world.queue.after(300 + 170 * i, () => change(!isDown));
    };
    world.queue.at(FROM_MS + 50 * i, () => change(true));
    return cut;
  });
  return () => {
    isOver = true;
    for (const cut of cuts) cut.set(false);
  };
}

/** Nobody hears anybody. */
function scatter(world: World): Heal {
  const cut = Cut.between(world, () => false);
  world.queue.at(FROM_MS, () => cut.set(true));
  return () => cut.set(false);
}

/** All nodes in turn, until everybody is alone; then all back, in an order that is another one each time. */
function swizzle(world: World): Heal {
  const { hosts, queue } = world;
  const cuts = hosts.map((host) => Cut.between(world, (a, b) => a !== host && b !== host));
  const stepMs = 150;
  const roundMs = 2 * stepMs * hosts.length + 800;
  for (let start = FROM_MS; start + roundMs <= HEALED_AT_MS; start += roundMs) {
    const round = Math.round((start - FROM_MS) / roundMs);
    cuts.forEach((cut, i) => {
      const back = (cuts.length - 1 - i + round) % cuts.length;
      queue.at(start + stepMs * i, () => cut.set(true));
      queue.at(start + stepMs * (cuts.length + back) + 200, () => cut.set(false));
    });
  }
  return () => {
    for (const cut of cuts) cut.set(false);
  };
}

describe.each(NETWORKS)("%s", (_, clusters) => {
  test("goes on while the primary's links flap", async () => {
    const run = await direct(busyPlan(SEED, clusters, HEALED_AT_MS), flap);
    expect(countWithin(run.answers, FROM_MS, HEALED_AT_MS), `seed ${SEED}`).toBeGreaterThan(30);
  });

  test("is back in time after a swizzle", async () => {
    const run = await direct(busyPlan(SEED, clusters, HEALED_AT_MS), swizzle);
    expect(firstAfter(run), `seed ${SEED}`).toBeLessThan(limits.timeoutMaxMs);
  });

  test("is back in time after minutes in which nobody heard anybody", async () => {
    const plan = busyPlan(SEED, clusters, MINUTES_MS);
    const run = await direct({ ...plan, load: { ...plan.load, requestsMax: 60 } }, scatter);
    expect(countWithin(run.answers, FROM_MS + 500, MINUTES_MS), `seed ${SEED}`).toBe(0);
    expect(firstAfter(run), `seed ${SEED}`).toBeLessThan(limits.timeoutMaxMs + EXCHANGE_MS);
  });
});

/** From healing to the first answer. */
function firstAfter({ answers, healedAt }: Directed): number {
  return (answers.find((at) => at >= healedAt) ?? Number.POSITIVE_INFINITY) - healedAt;
}
