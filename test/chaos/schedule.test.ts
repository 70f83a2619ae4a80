// Schedules of faults: the same seed has the same one, faults come every 5 to 20 s, and but for kills of whole clusters no
// cluster has more than f nodes in trouble at a time.

import { describe, expect, test } from "vitest";
import { type Fault, scheduleOf, showFault } from "../../src/chaos/schedule.js";
import type { ClusterId } from "../../src/types/ids.js";

const clusters = [1, 2, 3].map((id) => ({ id: id as ClusterId, nodes: 4, faults: 1 }));
const seeds = Array.from({ length: 50 }, (_, i) => i);
const durationMs = 600_000;

function schedule(seed: number, damage = false): readonly Fault[] {
  return scheduleOf({ clusters, seed, durationMs, damage });
}

/** The cluster in which a fault makes one node useless. */
function troubled(fault: Fault): number | undefined {
  return "victim" in fault && fault.kind !== "cut-clients" ? fault.victim.cluster : undefined;
}

describe("a schedule", () => {
  test("is the seed's alone", () => {
    expect(schedule(7)).toEqual(schedule(7));
    expect(schedule(7)).not.toEqual(schedule(8));
  });

  test("has a fault every 5 to 20 s, and all are over in time", () => {
    for (const seed of seeds) {
      const faults = schedule(seed);
      faults.slice(1).forEach((fault, i) => {
        const gapMs = fault.atMs - (faults[i] as Fault).atMs;
        expect(gapMs, `seed ${seed}`).toBeGreaterThanOrEqual(5000);
        expect(gapMs, `seed ${seed}`).toBeLessThanOrEqual(20_000);
      });
      for (const { atMs, forMs } of faults) expect(atMs + forMs, `seed ${seed}`).toBeLessThanOrEqual(durationMs);
      for (const fault of faults) if (fault.kind === "pause") expect(fault.forMs).toBeLessThanOrEqual(30_000);
    }
  });

  test("keeps to f nodes of a cluster, kills of whole clusters apart", () => {
    for (const seed of seeds) {
      const faults = schedule(seed, true);
      for (const fault of faults) {
        const cluster = troubled(fault);
        if (cluster === undefined) continue;
        const beside = faults.filter(
          (other) => other !== fault && other.atMs <= fault.atMs && other.atMs + other.forMs > fault.atMs,
        );
        const words = `seed ${seed}: ${showFault(fault)} beside ${beside.map(showFault).join(" and ")}`;
        expect(
          beside.some((other) => troubled(other) === cluster),
          words,
        ).toBe(false);
        expect(
          beside.some(({ kind }) => kind === "kill-all"),
          words,
        ).toBe(false);
      }
    }
  });

  test("draws every kind, and damage only when it may", () => {
    const kinds = (damage: boolean) => [...new Set(seeds.flatMap((seed) => schedule(seed, damage)).map((f) => f.kind))];
    const usual = ["cut-clients", "cut-clusters", "cut-link", "cut-node", "kill", "kill-all", "kill-cluster", "pause"];
    expect(kinds(false).sort()).toEqual(usual);
    expect(kinds(true).sort()).toEqual([...usual, "damage"].sort());
  });

  test("of one cluster cuts it from no other", () => {
    const one = scheduleOf({ clusters: clusters.slice(0, 1), seed: 1, durationMs, damage: false });
    expect(one.length).toBeGreaterThan(10);
    expect(one.some(({ kind }) => kind === "cut-clusters")).toBe(false);
  });
});
