// Disks that are lost in simulated networks: every node finds out, comes back as its next incarnation, and nothing that
// was said or decided is lost. Without the gate the checkers see at once that it votes as if it remembered.

import { afterEach, expect, test, vi } from "vitest";
import { Gate } from "../../src/node/gate.js";
import type { Fault, RunPlan } from "../../src/sim/plan.js";
import { quietPlan } from "../../src/sim/quiet-plan.js";
import { run } from "../../src/sim/run.js";
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

test.each(models)("in %s clusters a node that votes without asking anybody is seen", async (model) => {
  vi.spyOn(Gate.prototype, "isOpen", "get").mockReturnValue(true);
  vi.spyOn(Gate.prototype, "withhold").mockReturnValue(undefined);
  const verdicts: string[] = [];
  for (const seed of [1, 2, 3]) verdicts.push((await run({ plan: planWith(seed, model, "lose-disk") })).verdict);
  expect(verdicts).toContain("VIOLATION I8");
});
