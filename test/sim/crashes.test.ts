// A crash at any boundary between two effects loses nothing that was said and stops nobody (protocol 6): at every
// boundary of a short run, and, several in a run, at a sample of those of a longer one. Both models, and two clusters
// with cross-shard blocks. `scripts/crashes` tries every boundary of 200 blocks.

import { expect, test } from "vitest";
import { CRASH_PLANS } from "../../src/sim/crash-plans.js";
import { boundariesOf, runWithCrashes } from "../../src/sim/crashes.js";

const kinds = Object.entries(CRASH_PLANS);
const PLACES = [/ before$/, / between$/, / after$/, / \d+$/];
const [RUNS, STRIDE] = [3, 101];

test.each(kinds)("%s: one crash at each boundary of a run of one block", async (name, planOf) => {
  const plan = planOf(1);
  const places = await boundariesOf(plan);
  for (const place of PLACES) expect(places.filter((each) => place.test(each)).length, `${place}`).toBeGreaterThan(0);
  for (let first = 0; first < places.length; first++) {
    const { result, crashes } = await runWithCrashes({ plan, first, requestsAfter: 2 });
    const { verdict, violations, waiting } = result;
    expect(verdict, `${name}, boundary ${first}: ${JSON.stringify({ violations, waiting })}`).toBe("PASS");
    expect(crashes, `${name}, boundary ${first}`).toEqual([places[first]]);
  }
});

test.each(kinds)("%s: several crashes, between any two effects", async (name, planOf) => {
  const crashes: string[] = [];
  for (let run = 0; run < RUNS; run++) {
    const first = run * 33;
    const one = await runWithCrashes({ plan: planOf(100), first, stride: STRIDE });
    const { verdict, violations, waiting } = one.result;
    expect(verdict, `${name}, first ${first}: ${JSON.stringify({ violations, waiting })}`).toBe("PASS");
    crashes.push(...one.crashes);
  }
  expect(crashes.length).toBeGreaterThan(3 * RUNS);
  for (const place of PLACES)
    expect(
      crashes.some((crash) => place.test(crash)),
      `${name}: ${place}`,
    ).toBe(true);
});

test("the clients stop so many requests after whoever died takes part again", async () => {
  for (const [name, planOf] of kinds) {
    const plan = planOf(100);
    const counts: number[] = [];
    for (const requestsAfter of [0, 20, undefined]) {
      const { result } = await runWithCrashes({ plan, first: 50, requestsAfter });
      expect(result.verdict, name).toBe("PASS");
      counts.push(result.requests);
    }
    const [none = 0, some = 0, all] = counts;
    // Those that were under way when it was told are answered, too.
    expect(some - none, name).toBeGreaterThanOrEqual(20 - plan.load.clients);
    expect(some - none, name).toBeLessThanOrEqual(20 + plan.load.clients);
    expect(all, name).toBe(100);
  }
});
