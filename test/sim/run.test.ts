// Whole runs: one seed has one run; what breaks is found, named, and can be repeated.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { failureLines } from "../../src/cli/simulate.js";
import { type Cast, fullCast } from "../../src/sim/cast.js";
import { FAULTS, PROFILES, type Profile } from "../../src/sim/plan.js";
import { planOf, profileOf } from "../../src/sim/profiles.js";
import { quietPlan } from "../../src/sim/quiet-plan.js";
import { run } from "../../src/sim/run.js";

const noCast: Cast = { checkers: [], villains: {}, rogues: {} };
const byzantine = { model: "byzantine", faults: 1, nodes: 4, villains: 0 } as const;
const crash = { model: "crash", faults: 1, nodes: 3, villains: 0 } as const;

describe("a seed", () => {
  test.each(PROFILES)("has one run (%s)", async (profile) => {
    const plan = () => planOf({ seed: 2, profile });
    const first = await run({ plan: plan() });
    const second = await run({ plan: plan() });
    expect(second, `seed 2 ${profile}`).toEqual(first);
    expect((await run({ plan: planOf({ seed: 3, profile }) })).digest).not.toBe(first.digest);
  });

  test("has the same run when its transcript is written", async () => {
    const lines: string[] = [];
    const plan = planOf({ seed: 4, profile: "weather" });
    const traced = await run({ plan, trace: (line) => void lines.push(line) });
    expect(traced).toEqual(await run({ plan }));
    expect(lines.length).toBeGreaterThan(traced.messages);
  });

  test("without a profile takes them in turn", () => {
    expect([5, 6, 7, 8, 9].map((seed) => profileOf({ seed }))).toEqual(PROFILES);
  });
});

describe("a network without faults converges", () => {
  test.each([1, 2, 3, 4, 5, 6])("seed %i", async (seed) => {
    const result = await run({ plan: planOf({ seed, profile: "calm" }) });
    expect(result, `seed ${seed}`).toMatchObject({ verdict: "PASS", violations: [], waiting: [] });
    expect(result.transfers, `seed ${seed}`).toBeGreaterThan(0);
  });
});

test("seeds that once failed pass", async () => {
  const text = readFileSync(new URL("regressions.json", import.meta.url), "utf8");
  for (const { seed, profile, why } of JSON.parse(text) as { seed: number; profile: Profile; why: string }[]) {
    const result = await run({ plan: planOf({ seed, profile }) });
    expect(result.verdict, `seed ${seed} ${profile}: ${why}`).toBe("PASS");
  }
});

describe("what is drawn", () => {
  const plans = PROFILES.flatMap((profile) =>
    Array.from({ length: 100 }, (_, seed) => planOf({ seed: seed + 1, profile })),
  );

  test("covers every fault, model, size and way of dissemination", () => {
    expect(new Set(plans.flatMap(({ faults }) => faults.kinds))).toEqual(new Set(FAULTS));
    expect(new Set(plans.map(({ dissemination }) => dissemination)).size).toBe(3);
    expect(new Set(plans.map(({ clusters }) => clusters.length))).toEqual(new Set([1, 2, 3, 4]));
    const sizes = plans.flatMap(({ clusters }) => clusters.map(({ model, nodes }) => `${model} ${nodes}`));
    expect([...new Set(sizes)].sort()).toEqual(
      ["byzantine 4", "byzantine 5", "byzantine 7", "byzantine 8", "crash 3", "crash 4", "crash 5", "crash 6"].sort(),
    );
  });

  test("never has more villains than a byzantine cluster tolerates, and none elsewhere", () => {
    for (const { seed, profile, clusters } of plans) {
      for (const { model, villains, faults } of clusters) {
        expect(villains, `seed ${seed} ${profile}`).toBeLessThanOrEqual(model === "byzantine" ? faults : 0);
      }
      if (profile !== "treason") expect(clusters.every(({ villains }) => villains === 0)).toBe(true);
    }
    expect(plans.some(({ clusters }) => clusters.some(({ villains }) => villains > 0))).toBe(true);
  });

  test("has no faults in calm", () => {
    for (const { profile, faults, weather } of plans) {
      if (profile === "calm") expect([faults.kinds, weather.loss]).toEqual([[], 0]);
    }
  });
});

describe("a run that fails", () => {
  test("stops at the first violation and names it, its seed, and the command that repeats it", async () => {
    const cast: Cast = {
      ...noCast,
      checkers: [(_, report) => ({ onReply: () => report({ invariant: "I5", reason: "a planted one" }) })],
    };
    const result = await run({ plan: planOf({ seed: 2, profile: "calm" }), cast });
    expect(result.verdict).toBe("VIOLATION I5");
    expect(result.violations).toHaveLength(1);
    expect(failureLines(result, { clusters: undefined })).toEqual([
      "seed 2 (calm): VIOLATION I5",
      "  I5: a planted one",
      "  replay: sharper simulate --seeds 2 --profile calm --trace",
    ]);
    expect(failureLines(result, { clusters: 3 }).at(-1)).toContain("--profile calm --clusters 3");
  });

  test("has made no progress when more nodes than f are silent", async () => {
    const cast: Cast = { ...noCast, villains: { silent: () => ({ name: "silent", bend: () => [] }) } };
    const plan = quietPlan(1, [{ ...byzantine, villains: 4 }]);
    const result = await run({ plan, cast });
    expect(result.verdict).toBe("NO-PROGRESS");
    expect(result.waiting).toContainEqual(expect.stringContaining("client0's request 1"));
    expect(failureLines(result, { clusters: undefined }).join("\n")).toContain("client0's request 1");
  });

  test("says so when a correct node breaks one of its own invariants", async () => {
    const cast: Cast = {
      ...noCast,
      checkers: [
        (world) => ({
          onRequest() {
            const [node] = world.nodes;
            if (node?.running === undefined) return;
            node.running.replica.step = () => {
              throw new Error("a planted error");
            };
          },
        }),
      ],
    };
    const result = await run({ plan: quietPlan(1, [crash]), cast });
    expect(result.verdict).toBe("VIOLATION I0");
    expect(result.violations[0]?.reason).toMatch(/^c1n0 stopped: Error: a planted error/);
  });

  test("is not failed by a byzantine node that breaks down", async () => {
    const cast: Cast = {
      ...noCast,
      villains: {
        clumsy: () => ({
          name: "clumsy",
          hear: () => {
            throw new Error("its own trouble");
          },
        }),
      },
    };
    // Seeds differ in which node it is: one whose loss needs no new primary.
    const results = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((seed) => run({ plan: quietPlan(seed, [{ ...byzantine, villains: 1 }]), cast })),
    );
    expect(results.every(({ verdict }) => !verdict.startsWith("VIOLATION"))).toBe(true);
    expect(results.some(({ verdict }) => verdict === "PASS")).toBe(true);
  });
});

// At its start each node asks all peers for what it may have missed, twice, and nobody has anything to answer.
test("a network in which nobody asks for anything falls silent after its start", async () => {
  const quiet = quietPlan(1, [byzantine, crash]);
  const after = (safetyMs: number) =>
    run({ plan: { ...quiet, safetyMs, load: { ...quiet.load, requestsMax: 0, readings: 0 } } });
  const [minute, hour] = [await after(60_000), await after(3_600_000)];
  // Each node asks each other for the slot after its last, and says START, which is answered.
  const said = 2 * 2 * (4 * 3 + 3 * 2);
  expect([minute.verdict, hour.verdict]).toEqual(["PASS", "PASS"]);
  expect([minute.messages, hour.messages]).toEqual([said, said]);
  expect(hour.events).toBe(minute.events);
});

test("the whole cast takes part by default", async () => {
  const plan = quietPlan(3, [crash, byzantine]);
  expect(await run({ plan })).toEqual(await run({ plan, cast: fullCast }));
});
