// A shorter run of `sharper fuzz`: nothing that a stranger can send, and nothing that a liar in a network says, breaks
// anything. SEEDS=n explores another seed.

import { expect, test } from "vitest";
import { fuzz } from "../../src/cli/fuzz.js";

const INPUTS = 50_000;
const seed = Number(process.env["SEEDS"]?.split("-")[0] ?? 1);

test(`${INPUTS} mutated inputs at every entrance find nothing, seed ${seed}`, async () => {
  const { finds, inputs, entrances } = await fuzz({ inputs: INPUTS, seed });
  expect(finds, `seed ${seed}`).toEqual([]);
  expect(inputs).toBeGreaterThanOrEqual(INPUTS);
  // Inputs get past each entrance and are refused there: else they would test one half of it only.
  for (const { entrance, inputs: count, passed } of entrances) {
    expect(count, entrance).toBeGreaterThan(100);
    if (entrance === "random bytes" || entrance === "networks with liars") continue;
    expect(passed, entrance).toBeGreaterThan(0);
    expect(passed, entrance).toBeLessThan(count);
  }
}, 300_000);
