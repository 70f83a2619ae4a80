// Workloads: what is drawn, from which distribution, and that a seed draws the same again.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadAccounts } from "../../src/load/accounts.js";
import { randomOf, zipfOf } from "../../src/load/random.js";
import { type WorkItem, type WorkloadOptions, workloadOf } from "../../src/load/workload.js";
import { ada, type bea, clustersOf, topology } from "./network.js";

const accounts = loadAccounts(topology);
const usual: WorkloadOptions = { cross: 0.5, shardsPerCross: 2, debitsPerCross: 1, skew: 0, batch: 1, seed: 7 };
const first = { key: ada, number: 0 };

function draw(count: number, options: Partial<WorkloadOptions> = {}, client = first): readonly WorkItem[] {
  const workload = workloadOf(accounts, { ...usual, ...options, client });
  return Array.from({ length: count }, workload);
}

describe("accounts", () => {
  test("every account of the genesis is in the set of its cluster, and of its owner there", () => {
    const names = accounts.flatMap(({ all }) => Array.from({ length: all.count }, (_, i) => all.name(i)));
    expect(names).toHaveLength(801);
    expect(new Set(names).size).toBe(801);
    expect(names).toContain("alone");
    const owned = accounts.flatMap((each) => {
      const set = each.owned.get(ada);
      return Array.from({ length: set?.count ?? 0 }, (_, i) => set?.name(i));
    });
    expect(owned.sort()).toEqual(Array.from({ length: 400 }, (_, i) => `ada-${i}`).sort());
  });
});

describe("a request", () => {
  test("debits the client's own accounts, each once, and no account that it credits; sums are equal", () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer(),
          cross: fc.constantFrom(0, 0.5, 1),
          shardsPerCross: fc.integer({ min: 2, max: 4 }),
          skew: fc.constantFrom(0, 0.9, 1, 2),
          batch: fc.integer({ min: 1, max: 5 }),
        }),
        fc.integer({ min: 1, max: 4 }),
        (options, debits) => {
          const debitsPerCross = Math.min(debits, options.shardsPerCross);
          for (const { operations } of draw(20, { ...options, debitsPerCross })) {
            for (const operation of operations) {
              if (operation.kind !== "transfer") throw new Error(operation.kind);
              const names = [...operation.debits, ...operation.credits].map(({ account }) => account);
              expect(new Set(names).size).toBe(names.length);
              for (const { account } of operation.debits) expect(account).toMatch(/^ada-/);
              const sum = (of: typeof operation.debits) => of.reduce((total, { amount }) => total + amount, 0n);
              expect(sum(operation.debits)).toBe(sum(operation.credits));
              for (const { amount } of [...operation.debits, ...operation.credits]) expect(amount).toBeGreaterThan(0n);
            }
          }
        },
      ),
    );
  });

  test("has all its transfers between the same clusters: one, or as many as asked for", () => {
    for (const { operations, cross } of draw(200, { batch: 10, shardsPerCross: 3 })) {
      const [clusters, ...others] = operations.map(clustersOf);
      expect(operations).toHaveLength(10);
      expect(clusters).toHaveLength(cross ? 3 : 1);
      for (const other of others) expect(other).toEqual(clusters);
    }
  });

  test("debits as many clusters as asked for", () => {
    for (const { operations } of draw(50, { cross: 1, shardsPerCross: 3, debitsPerCross: 2 })) {
      const [operation] = operations;
      if (operation?.kind !== "transfer") throw new Error("no transfer");
      expect(clustersOf({ ...operation, credits: [] })).toHaveLength(2);
    }
  });

  test("is cross-shard as often as asked for", () => {
    const crossing = draw(10_000, { cross: 0.1 }).filter(({ cross }) => cross).length;
    expect(crossing).toBeGreaterThan(900);
    expect(crossing).toBeLessThan(1100);
  });
});

describe("determinism", () => {
  test("the same seed draws the same requests", () => {
    expect(draw(50)).toEqual(draw(50));
  });

  test("another seed, or another client, draws others", () => {
    expect(draw(50)).not.toEqual(draw(50, { seed: 8 }));
    expect(draw(50)).not.toEqual(draw(50, {}, { key: ada, number: 1 }));
  });
});

describe("distributions", () => {
  const frequencies = (count: number, skew: number, draws: number) => {
    const random = randomOf(1);
    const rank = zipfOf({ count, skew });
    const seen = new Array<number>(count).fill(0);
    for (let i = 0; i < draws; i++) {
      const drawn = rank(random);
      seen[drawn] = (seen[drawn] ?? 0) + 1;
    }
    expect(Object.keys(seen)).toHaveLength(count);
    return seen.map((times) => times / draws);
  };

  test.each([0, 0.5, 0.99, 1, 1.5, 3])("ranks follow Zipf's law with exponent %d", (skew) => {
    const count = 20;
    const weights = Array.from({ length: count }, (_, i) => 1 / (i + 1) ** skew);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [i, frequency] of frequencies(count, skew, 200_000).entries()) {
      expect(Math.abs(frequency - (weights[i] as number) / total)).toBeLessThan(0.005);
    }
  });

  test("a single rank is always drawn", () => {
    expect(frequencies(1, 1.2, 100)).toEqual([1]);
  });
});

test.each([
  ["cross above 1", { cross: 1.5 }],
  ["more shards than clusters", { shardsPerCross: 5 }],
  ["one shard for a cross-shard request", { shardsPerCross: 1 }],
  ["more debits than shards", { debitsPerCross: 3 }],
  ["no transfers in a request", { batch: 0 }],
  ["a negative skew", { skew: -1 }],
])("%s is refused", (_what, options) => {
  expect(() => draw(1, options)).toThrow(expect.objectContaining({ code: "bad-workload" }));
});

test("a client without accounts is told so", () => {
  const stranger = { key: "c".repeat(64) as typeof bea, number: 0 };
  expect(() => draw(1, {}, stranger)).toThrow(expect.objectContaining({ code: "bad-workload" }));
});
