// A scale run is a function of its options: the seed repeats it exactly. It is a run of a healthy network: nothing
// fails, nothing is refused, nothing is missing. And what it measures is what the cores can do.

import { describe, expect, test } from "vitest";
import { costsOf } from "../../../src/sim/scale/cpu.js";
import { runScale, type ScaleOptions } from "../../../src/sim/scale/run.js";
import { small } from "./options.js";

describe.each(["byzantine", "crash"] as const)("%s clusters", (model) => {
  test.each([2, 4])("%i of them: the same seed gives the same row, another one another", async (clusters) => {
    const options: ScaleOptions = { ...small, model, clusters };
    const row = await runScale(options);
    expect(await runScale(options), `seed ${options.seed}`).toEqual(row);
    expect(await runScale({ ...options, seed: 8 }), "seed 8").not.toEqual(row);
    expect(row, `seed ${options.seed}`).toMatchObject({ clusters, failed: 0, rejected: 0, queried: 0 });
    expect(row.intra.count, `seed ${options.seed}`).toBeGreaterThan(row.cross.count);
    expect(row.cross.count, `seed ${options.seed}`).toBeGreaterThan(0);
  });
});

test("a busy cluster's throughput is what its cores give: twice the cost, half the transfers", async () => {
  const alone: ScaleOptions = { ...small, clusters: 1 };
  const quick = await runScale({ ...alone, costs: costsOf(2000) });
  const slow = await runScale({ ...alone, costs: costsOf(4000) });
  expect(quick.busy).toBeGreaterThan(0.95);
  expect(slow.busy).toBeGreaterThan(0.95);
  expect(quick.transfersPerSecond / slow.transfersPerSecond).toBeCloseTo(2, 1);
});

test("an idle core adds nothing but its work to the delays of the links", async () => {
  const { intra } = await runScale({ ...small, clusters: 1, clientsPerCluster: 1, costs: costsOf(1) });
  // Client, primary, backups; accepts, COMMITs, replies: five links of half a millisecond.
  expect(intra.p50Ms).toBeGreaterThan(2.5);
  expect(intra.p50Ms).toBeLessThan(2.6);
});

test("a cross-shard transfer takes the way to the other region and back, and the nodes' spread costs every transfer", async () => {
  const idle: ScaleOptions = { ...small, clientsPerCluster: 1, cross: 0.5, regions: 2, costs: costsOf(1) };
  const together = await runScale(idle);
  // East US and West Europe: 84 ms there and back.
  expect(together.cross.p50Ms).toBeGreaterThan(84);
  expect(together.intra.p50Ms).toBeLessThan(84);
  const spread = await runScale({ ...idle, cross: 0, spread: true });
  expect(spread.intra.p50Ms).toBeGreaterThan(84);
});
