// A shorter run of `sharper fuzz`: nothing that a stranger can send, and nothing that a liar in a network says, breaks
// anything or stays in memory. SEEDS=n explores another seed.

import { describe, expect, test } from "vitest";
import { fuzz, heldBytes, verdictOf } from "../../src/cli/fuzz.js";

const INPUTS = 50_000;
const seed = Number(process.env["SEEDS"]?.split("-")[0] ?? 1);

test(`${INPUTS} mutated inputs at every entrance find nothing and leave nothing, seed ${seed}`, async () => {
  const { finds, inputs, entrances, memory, verdict } = await fuzz({ inputs: INPUTS, seed });
  expect(finds, `seed ${seed}`).toEqual([]);
  expect(verdict, `seed ${seed}: ${JSON.stringify(memory)}`).toBe("PASS");
  expect(inputs).toBeGreaterThanOrEqual(INPUTS);
  // Inputs get past each entrance and are refused there: else they would test one half of it only.
  for (const { entrance, inputs: count, passed } of entrances) {
    expect(count, entrance).toBeGreaterThan(100);
    if (entrance === "random bytes" || entrance === "networks with liars") continue;
    expect(passed, entrance).toBeGreaterThan(0);
    expect(passed, entrance).toBeLessThan(count);
  }
}, 300_000);

describe("memory", () => {
  const MIB = 1 << 20;
  const find = { entrance: "frames", input: "00", error: "a bug" };
  const held = (doors: number, end: number) => {
    return { warmBytes: 60 * MIB, doorsBytes: doors * MIB, endBytes: end * MIB, residentBytes: 900 * MIB };
  };

  test.each([
    ["stays as it was", held(60, 60), "PASS"],
    ["shrinks", held(40, 20), "PASS"],
    ["fills its bounded part", held(108, 108), "PASS"],
    ["grows at the doors", held(109, 60), "GREW"],
    ["grows in the networks", held(60, 109), "GREW"],
  ] as const)("that %s", (_what, memory, verdict) => {
    expect(verdictOf({ finds: [], memory })).toBe(verdict);
    expect(verdictOf({ finds: [find], memory })).toBe("FOUND");
  });

  test("is what is held, and not what is garbage", () => {
    const before = heldBytes();
    const withMore = (): number => {
      const kept = [Buffer.alloc(20 * MIB), Array.from({ length: MIB }, (_, i) => ({ i }))];
      return heldBytes() + kept.length;
    };
    expect(withMore() - before).toBeGreaterThan(40 * MIB);
    expect(heldBytes() - before).toBeLessThan(20 * MIB);
  });
});
