// What a table of runs is said to show: the slope of throughput, and whether a transfer comes to cost more messages.
// And its picture.

import { describe, expect, test } from "vitest";
import { drawChart } from "../../../src/sim/scale/chart.js";
import { growthOf } from "../../../src/sim/scale/growth.js";
import { rowOf } from "./options.js";

const sizes = [8, 32, 128, 512];

/** Throughput that grows with this slope, from 80 transfers/s of one cluster on. */
function growing(slope: number) {
  return sizes.map((clusters) => rowOf({ clusters, transfersPerSecond: 80 * clusters ** slope }));
}

describe("growth", () => {
  test.each([1, 0.96, 0.94, 0.5])("finds the slope %d", (slope) => {
    const { slope: found, problems } = growthOf(growing(slope));
    expect(found).toBeCloseTo(slope, 10);
    expect(problems).toHaveLength(slope < 0.95 ? 1 : 0);
  });

  test("the slope is that of all rows, in logarithms, not of the first and the last", () => {
    const rows = growing(1).map((row, i) => ({
      ...row,
      transfersPerSecond: row.transfersPerSecond * (i === 1 ? 2 : 1),
    }));
    expect(growthOf(rows).slope).toBeLessThan(1);
  });

  test("a transfer may cost a tenth more messages than with the fewest clusters, wherever that is", () => {
    const withMessages = (messages: readonly number[]) =>
      growthOf(growing(1).map((row, i) => ({ ...row, messagesPerTransfer: messages[i] as number })));
    expect(withMessages([40, 41, 43.9, 30])).toMatchObject({ problems: [] });
    expect(withMessages([40, 41, 44.2, 30]).problems).toEqual([expect.stringContaining("10.5 % more messages")]);
    expect(withMessages([40, 20, 20, 20]).moreMessages).toBe(0);
  });

  test("one size has no slope; failed transfers and silence are problems", () => {
    expect(growthOf([rowOf({ clusters: 8, transfersPerSecond: 640 })])).toEqual({
      slope: undefined,
      moreMessages: 0,
      problems: [],
    });
    const rows = [
      rowOf({ clusters: 8, transfersPerSecond: 640, failed: 3 }),
      rowOf({ clusters: 32, transfersPerSecond: 0 }),
    ];
    expect(growthOf(rows).problems).toEqual([
      "with 32 clusters no transfer ended in the measured span",
      "with 8 clusters 3 transfers failed",
    ]);
  });
});

describe("the picture", () => {
  test("has a point of every row in every series, and all within the sheet", () => {
    const svg = drawChart(growing(0.97), "80 < 90 & more");
    const [, width, height] = /viewBox="0 0 ([0-9.]+) ([0-9.]+)"/.exec(svg) ?? [];
    const points = [...svg.matchAll(/<circle cx="([^"]+)" cy="([^"]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
    // Ideal and measured throughput, messages, four latencies.
    expect(points).toHaveLength(7 * sizes.length);
    for (const [x, y] of points) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(Number(width) / 3);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThan(Number(height));
    }
    expect(svg).toContain("80 &lt; 90 &amp; more");
    expect(svg).not.toContain("NaN");
  });

  test("draws a table of one row, and one in which nothing happened", () => {
    expect(drawChart([rowOf({ clusters: 8, transfersPerSecond: 640 })], "")).not.toContain("NaN");
    expect(drawChart([rowOf({ clusters: 8, transfersPerSecond: 0 })], "")).not.toMatch(/NaN|Infinity/);
  });
});
