// A crash at any boundary between two effects loses nothing that was said and stops nobody (protocol 6). A sample of
// the boundaries, in runs of both models and of two clusters with cross-shard blocks; scripts/crashes tries all.

import { expect, test } from "vitest";
import { CRASH_PLANS } from "../../src/sim/crash-plans.js";
import { runWithCrashes } from "../../src/sim/crashes.js";

const [RUNS, STRIDE] = [3, 101];

test.each(Object.entries(CRASH_PLANS))("%s: a crash between any two effects", async (name, planOf) => {
  const crashes: string[] = [];
  for (let run = 0; run < RUNS; run++) {
    const first = run * 33;
    const one = await runWithCrashes({ plan: planOf(100), first, stride: STRIDE });
    const { verdict, violations, waiting } = one.result;
    expect(verdict, `${name}, first ${first}: ${JSON.stringify({ violations, waiting })}`).toBe("PASS");
    crashes.push(...one.crashes);
  }
  expect(crashes.length).toBeGreaterThan(3 * RUNS);
  for (const place of [/before$/, /between$/, /after$/, / \d+$/]) {
    expect(
      crashes.some((crash) => place.test(crash)),
      `${name}: ${place}`,
    ).toBe(true);
  }
});
