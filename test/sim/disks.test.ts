// Disks that are lost or fall back in simulated networks: every node finds out, comes back as its next incarnation, and
// nothing that was said or decided is lost. Without the gate the checkers see at once that it votes as if it remembered.

import { afterEach, expect, test, vi } from "vitest";
import { Gate } from "../../src/node/gate.js";
import { fullCast } from "../../src/sim/cast.js";
import type { SimHost } from "../../src/sim/host.js";
import type { SimNode } from "../../src/sim/observer.js";
import type { Fault, RunPlan } from "../../src/sim/plan.js";
import { quietPlan } from "../../src/sim/quiet-plan.js";
import { run } from "../../src/sim/run.js";
import { World } from "../../src/sim/world.js";
import type { FailureModel } from "../../src/types/topology.js";

afterEach(() => void vi.restoreAllMocks());

function planWith(seed: number, model: FailureModel, ...kinds: readonly Fault[]): RunPlan {
  const nodes = model === "crash" ? 3 : 4;
  const plan = quietPlan(seed, [
    { model, faults: 1, nodes, villains: 0 },
    { model, faults: 1, nodes, villains: 0 },
  ]);
  const load = { ...plan.load, requestsMax: 60, pauseMs: 150 };
  return { ...plan, load, faults: { kinds, everyMs: 1500, lastsMs: [50, 500] }, safetyMs: 8000 };
}

const models = ["crash", "byzantine"] as const;

test.each(models)("%s clusters outlive the loss of one disk after the other", async (model) => {
  for (const seed of [1, 2]) {
    const result = await run({ plan: planWith(seed, model, "lose-disk", "old-disk", "crash-node") });
    const { verdict, violations, waiting } = result;
    expect({ seed, verdict, violations, waiting }).toEqual({ seed, verdict: "PASS", violations: [], waiting: [] });
    expect(result.faults, `seed ${seed}`).toBeGreaterThan(1);
  }
});

test.each(models)("in %s clusters nodes are given old disks that they must find out about, and do", async (model) => {
  const codes = new Set<string>();
  for (const seed of [1, 2, 3]) {
    let nodes: readonly SimNode[] = [];
    const look = (world: { readonly nodes: readonly SimNode[] }) => {
      nodes = world.nodes;
      return {};
    };
    const cast = { ...fullCast, checkers: [...fullCast.checkers, look] };
    const result = await run({ plan: planWith(seed, model, "old-disk"), cast });
    expect(result.verdict, `seed ${seed}`).toBe("PASS");
    for (const node of nodes) codes.add((node as SimHost).refusedWith ?? "none");
  }
  expect(codes.has("stale-storage") || codes.has("duplicate-identity"), [...codes].join()).toBe(true);
});

test("a byzantine node finds out that its disk is old when one of those who answer knows, and no more", async () => {
  const plan = quietPlan(1, [{ model: "byzantine", faults: 1, nodes: 4, villains: 0 }]);
  const world = new World({ plan, cast: { ...fullCast, villains: {}, rogues: {} } });
  const [host, silent, aware, unaware] = world.hosts as [SimHost, SimHost, SimHost, SimHost];
  const cut = (other: SimHost) => {
    world.network.cut(host.endpoint, other.endpoint);
    world.network.cut(other.endpoint, host.endpoint);
  };
  const heal = (other: SimHost) => {
    world.network.heal(host.endpoint, other.endpoint);
    world.network.heal(other.endpoint, host.endpoint);
  };
  await world.start();
  await world.runUntil(500);
  const old = host.store.rows().map(([key, value]) => ({ key, value }));
  cut(unaware);
  host.crash();
  host.restart();
  await world.runUntil(2000);
  expect(host.running?.replica.waitsFor).toBeUndefined();
  cut(silent);
  host.lose("unaware", (disk) => disk.replace(old));
  heal(unaware);
  host.restart();
  await world.runUntil(2200);
  expect(aware.running?.replica.waitsFor).toBeUndefined();
  expect([host.refusedWith, world.violations]).toEqual(["duplicate-identity", []]);
});

test.each([
  ["crash", "lose-disk"],
  ["crash", "old-disk"],
  ["byzantine", "lose-disk"],
  ["byzantine", "old-disk"],
] as const)("in %s clusters a node that votes after %s without asking anybody is seen", async (model, fault) => {
  vi.spyOn(Gate.prototype, "isOpen", "get").mockReturnValue(true);
  vi.spyOn(Gate.prototype, "withhold").mockReturnValue(undefined);
  const verdicts: string[] = [];
  for (const seed of [1, 2, 3]) verdicts.push((await run({ plan: planWith(seed, model, fault) })).verdict);
  expect(verdicts).toContain("VIOLATION I8");
});
