// A clock that is wrong by years, in either direction, or stands still (fault F24): nothing is recorded long before its
// time, timers do not care, and the cluster goes on with the clocks of the others, under another primary if need be.

import { describe, expect, test } from "vitest";
import type { SimHost } from "../../../src/sim/host.js";
import type { RunPlan } from "../../../src/sim/plan.js";
import type { World } from "../../../src/sim/world.js";
import { limits } from "../../../src/types/limits.js";
import type { FailureModel } from "../../../src/types/topology.js";
import { busyPlan, Cut, clusterOf, countWithin, type Directed, direct, type Heal, hostOf } from "./run.js";

const YEARS_MS = 5 * 365 * 24 * 3600 * 1000;
const MODELS: readonly FailureModel[] = ["crash", "byzantine"];
const WRONG_FROM_MS = 2000;
/** The primary's whole time, and the opening of the next view. */
const EXCHANGE_MS = 4000;
const SEED = 1;

type Fault = (host: SimHost, world: World) => Heal;

const jump =
  (ms: number): Fault =>
  (host) => {
    host.skewMs = ms;
    return () => {
      host.skewMs = 0;
    };
  };

/** Its clock shows what it shows now. */
const freeze: Fault = (host, world) => {
  const { now } = world;
  Object.defineProperty(host, "skewMs", { configurable: true, get: () => now - world.now });
  return () => void Object.defineProperty(host, "skewMs", { configurable: true, writable: true, value: 0 });
};

function withClock(plan: RunPlan, name: string, fault: Fault, at = WRONG_FROM_MS): Promise<Directed> {
  return direct(plan, (world) => {
    let heal: Heal = () => undefined;
    world.queue.at(at, () => {
      heal = fault(hostOf(world, name), world);
    });
    return () => heal();
  });
}

/** How long before the time that it names a block was recorded, at worst; all nodes but one know the true time. */
function earliestOf({ records }: Directed): number {
  return Math.max(...records.map(({ at, blockTime }) => blockTime - at));
}

describe.each(MODELS)("in a %s cluster", (model) => {
  test.each([
    ["ahead", "c1n0", jump(YEARS_MS)],
    ["back", "c1n0", jump(-YEARS_MS)],
    ["ahead", "c1n1", jump(YEARS_MS)],
    ["back", "c1n1", jump(-YEARS_MS)],
  ])("a clock that jumps years %s, at %s, does not stop the others", async (_, name, fault) => {
    const run = await withClock(busyPlan(SEED, [clusterOf(model)], 12_000), name, fault);
    expect(countWithin(run.answers, WRONG_FROM_MS + EXCHANGE_MS, run.healedAt), `seed ${SEED}`).toBeGreaterThan(30);
    expect(earliestOf(run)).toBeLessThan(1);
    // A primary that refuses what is valid, as expired or too early, is exchanged; a backup is nobody's loss.
    for (const view of run.viewsThen) expect(view > 0).toBe(name === "c1n0");
  });

  test("a backup whose clock is years ahead votes for what seems late to it, where a quorum needs its vote", async () => {
    const cluster = clusterOf(model);
    const run = await direct(busyPlan(SEED, [cluster], 8000), (world) => {
      const away = cluster.nodes - 1;
      const cut = Cut.between(world, ({ ref: a }, { ref: b }) => a.node !== away && b.node !== away);
      world.queue.at(WRONG_FROM_MS, () => {
        cut.set(true);
        hostOf(world, "c1n1").skewMs = YEARS_MS;
      });
      return () => {
        cut.set(false);
        hostOf(world, "c1n1").skewMs = 0;
      };
    });
    expect(countWithin(run.answers, WRONG_FROM_MS, run.healedAt), `seed ${SEED}`).toBeGreaterThan(30);
    expect(earliestOf(run)).toBeLessThan(1);
  });

  test.each(["c1n0", "c1n1"])(
    "a clock that stands still for minutes, at %s, does not stop the others",
    async (name) => {
      // Requests are valid for minutes: a primary whose time stands still takes them for valid too long in the end.
      const minutes = 600_000;
      const plan = busyPlan(SEED, [clusterOf(model)], minutes);
      const slow = { ...plan, load: { ...plan.load, pauseMs: 20_000, requestsMax: 100 } };
      const run = await withClock(slow, name, freeze);
      expect(countWithin(run.answers, minutes / 2, minutes), `seed ${SEED}`).toBeGreaterThan(30);
      expect(earliestOf(run)).toBeLessThan(1);
      for (const view of run.viewsThen) expect(view > 0).toBe(name === "c1n0");
    },
  );

  test("a primary a second too far ahead has its blocks held for that second, and refused never", async () => {
    const run = await withClock(busyPlan(SEED, [clusterOf(model)], 8000), "c1n0", jump(limits.clockAheadMs + 1000));
    const firstHeld = run.records.find(({ at, blockTime }) => blockTime > at);
    expect(firstHeld?.at, `seed ${SEED}`).toBeGreaterThan(WRONG_FROM_MS + 900);
    expect(countWithin(run.answers, WRONG_FROM_MS + 1000, run.healedAt), `seed ${SEED}`).toBeGreaterThan(10);
    expect(earliestOf(run)).toBeLessThanOrEqual(limits.clockAheadMs);
    expect(earliestOf(run)).toBeGreaterThan(limits.clockAheadMs - 100);
  });
});

test("blocks from years ahead that a byzantine primary had queued requests for are never recorded", async () => {
  const plan = busyPlan(SEED, [clusterOf("byzantine")], 12_000);
  // All clients ask at once, and the clock jumps while most of that waits for a block.
  const load = { ...plan.load, clients: 12, pauseMs: WRONG_FROM_MS, volleys: true };
  const run = await withClock({ ...plan, blockRequestsMax: 1, load }, "c1n0", jump(YEARS_MS), 2 * WRONG_FROM_MS + 6);
  expect(countWithin(run.answers, 2 * WRONG_FROM_MS + EXCHANGE_MS, run.healedAt), `seed ${SEED}`).toBeGreaterThan(20);
  expect(earliestOf(run)).toBeLessThan(1);
});
