// What `sharper catchup` says of a phase: nothing of another one counts, and a stall shows though the average hides it.

import { expect, test } from "vitest";
import { Phases } from "../../src/cli/catchup-phases.js";
import type { Ending } from "../../src/load/meter.js";

function committed(latencyMs: number): Ending {
  const outcome = { outcome: "committed" } as Ending["outcome"];
  return { outcome, cross: false, transfers: 1, startedMs: 0, endedMs: latencyMs };
}

test("phases are counted apart and compared with the second", () => {
  let now = 0;
  const phases = new Phases(() => now);
  const load = (perSecond: readonly number[]) => {
    for (const count of perSecond) {
      for (let i = 0; i < count; i++) phases.onEnding(committed(10));
      now += 1000;
    }
  };
  phases.onEnding(committed(10));
  for (const [name, perSecond] of [
    ["warm-up", [1]],
    ["usual", [10, 10]],
    ["slow", [10, 0, 17]],
  ] as const) {
    phases.begin(name);
    load(perSecond);
  }
  const [, usual, slow] = phases.end();
  phases.onEnding(committed(10));
  expect(usual).toMatchObject({ seconds: 2, transfersPerSecond: 10, share: 1, slowest: 10 });
  expect(slow).toMatchObject({ phase: "slow", transfersPerSecond: 9, share: 0.9, slowest: 0 });
  expect(usual?.p99Ms).toBeCloseTo(10, 1);
});

test("what was refused is no transfer, and a load that ended by itself is told", () => {
  const phases = new Phases(() => 0);
  phases.begin("usual");
  phases.onEnding({ ...committed(10), outcome: { outcome: "rejected" } as Ending["outcome"] });
  expect(phases.committed).toBe(0);
  phases.check();
  phases.fail(new Error("no connection"));
  expect(() => phases.check()).toThrow("no connection");
});
