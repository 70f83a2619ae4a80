// The figures of a run's tables: the slope of a line through points, and the longest time without an acknowledgement.

import { expect, test } from "vitest";
import { longestOutages } from "../../src/chaos/outages.js";
import { slopeOf } from "../../src/chaos/slope.js";
import { usageOf } from "../../src/cli/soak-samples.js";
import type { ClusterId } from "../../src/types/ids.js";
import { account, World } from "./world.js";

test("a line's slope is found, noise on both sides of it apart", () => {
  const line = Array.from({ length: 100 }, (_, x) => ({ x, y: 50 + 3 * x + (x % 2 === 0 ? 1 : -1) }));
  expect(slopeOf(line)).toBeCloseTo(3, 2);
});

test("one point, or none, has no slope", () => {
  expect(slopeOf([])).toBe(0);
  expect(slopeOf([{ x: 4, y: 7 }])).toBe(0);
});

test("memory that grows has its slope in MiB an hour, and swings have none", () => {
  const mib = 2 ** 20;
  const samples = Array.from({ length: 720 }, (_, i) => ({
    atMs: i * 5000,
    residentBytes: (100 + 2 * (i / 720) + (i % 2 === 0 ? 5 : -5)) * mib,
    anonymousBytes: (90 + (i % 2 === 0 ? 5 : -5)) * mib,
    descriptors: 40 + (i % 3),
  }));
  const usage = usageOf(samples);
  expect(usage.residentMiBPerHour).toBeCloseTo(2, 1);
  expect(usage.anonymousMiBPerHour).toBeCloseTo(0, 1);
  expect(usage.descriptors).toEqual({ first: 41, last: 41, most: 42 });
});

test("an outage is the longest time without an acknowledgement of a cluster's own, the run's ends included", () => {
  const world = new World();
  const [from, to] = [account(1, 0), account(1, 1)];
  for (const endedMs of [100, 400, 500]) world.transfer({ from, to, amount: 1n, startedMs: endedMs - 50, endedMs });
  // Of two clusters, and so of none alone.
  world.transfer({ from, to: account(2, 0), amount: 1n, startedMs: 600, endedMs: 700 });
  const clusters = [1, 2] as ClusterId[];
  const outages = longestOutages(world.writes, { clusters, endMs: 900 });
  expect(outages).toEqual([
    { cluster: 1, fromMs: 500, forMs: 400 },
    { cluster: 2, fromMs: 0, forMs: 900 },
  ]);
});
