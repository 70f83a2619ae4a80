// Broken disks in the simulated network (protocol 6): a node whose disk has lost what was durable does not start, one
// whose disk is full stops before it says anything, and slow disks of f nodes leave the others as quick as they were.

import { describe, expect, test } from "vitest";
import { fullCast } from "../../src/sim/cast.js";
import type { SimHost } from "../../src/sim/host.js";
import type { MakeChecker } from "../../src/sim/observer.js";
import type { ClusterPlan, Fault, RunPlan } from "../../src/sim/plan.js";
import { planOf } from "../../src/sim/profiles.js";
import { quietPlan } from "../../src/sim/quiet-plan.js";
import { run } from "../../src/sim/run.js";

const CLUSTERS: readonly ClusterPlan[] = [
  { model: "crash", faults: 1, nodes: 3, villains: 0 },
  { model: "byzantine", faults: 1, nodes: 4, villains: 0 },
];

function stormOf(seed: number, kinds: readonly Fault[]): RunPlan {
  const plan = planOf({ seed, profile: "storm", clusters: 2 });
  return { ...plan, faults: { ...plan.faults, kinds, everyMs: 1500 } };
}

/** Runs with a look at the hosts when it is over. What is prepared is prepared when all of them take part. */
async function runAndLook(plan: RunPlan, prepare: (hosts: readonly SimHost[]) => void = () => undefined) {
  let hosts: readonly SimHost[] = [];
  const ready = new Set<string>();
  const look: MakeChecker = (world) => {
    hosts = world.nodes as readonly SimHost[];
    return {
      onTurn({ name }, { notes }) {
        if (ready.has(name) || notes.every(({ kind }) => kind !== "takes-part")) return;
        ready.add(name);
        if (ready.size === hosts.length) prepare(hosts);
      },
    };
  };
  const result = await run({ plan, cast: { ...fullCast, checkers: [...fullCast.checkers, look] } });
  return { result, hosts };
}

describe("a disk that has lost what was durable", () => {
  test("keeps its node from starting until it is recovered, and the network goes on", async () => {
    let refused = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const { result, hosts } = await runAndLook(stormOf(seed, ["lost-tail", "crash-node"]));
      expect(result.verdict, `seed ${seed}: ${JSON.stringify(result)}`).toBe("PASS");
      for (const { name, disk, refusedWith, running } of hosts) {
        expect(disk.hasLost || running === undefined, `seed ${seed}, ${name}`).toBe(false);
        if (refusedWith === undefined) continue;
        expect(refusedWith, `seed ${seed}, ${name}`).toBe("store-rolled-back");
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5);
  });
});

describe("a full disk", () => {
  test("stops its node, which comes back when there is room", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { result, hosts } = await runAndLook(stormOf(seed, ["full-disk", "crash-primary"]));
      expect(result.verdict, `seed ${seed}: ${JSON.stringify(result)}`).toBe("PASS");
      expect(hosts.filter(({ running }) => running === undefined).length, `seed ${seed}`).toBe(0);
    }
  });

  test("lets nothing out that it could not keep", async () => {
    const plan = quietPlan(3, [CLUSTERS[0] as ClusterPlan]);
    const { result } = await runAndLook(plan, (hosts) => {
      for (const host of hosts) host.disk.isFull = true;
    });
    expect(result.transfers, "seed 3").toBe(0);
  });
});

describe("slow disks of f nodes", () => {
  test.each(CLUSTERS)("of a $model cluster do not slow the others", async (cluster) => {
    const plan = quietPlan(5, [cluster]);
    // As many requests as there is time for, one after the other.
    const busy: RunPlan = { ...plan, load: { ...plan.load, pauseMs: 1, requestsMax: 10_000 }, safetyMs: 1500 };
    const quick = await runAndLook(busy);
    const slowed = await runAndLook(busy, (hosts) => {
      for (const host of hosts.slice(-cluster.faults)) host.diskExtraMs = 400;
    });
    for (const { result } of [quick, slowed]) expect(result.verdict, `seed 5: ${JSON.stringify(result)}`).toBe("PASS");
    expect(slowed.result.transfers, "seed 5").toBeGreaterThan(0.9 * quick.result.transfers);
  });
});
