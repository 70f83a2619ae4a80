// What `sharper failover` says of its figures: it ends well only if nothing is lost and both aims are met.

import { expect, test } from "vitest";
import { failoverVerdict } from "../../src/cli/failover-verdict.js";

const aims = { maxMs: 2000, kept: 0.9 };
const good = { firstCommitMs: 2000, othersKept: 0.9 };

test("a run that just meets the aims is good", () => {
  expect(failoverVerdict([], good, aims)).toEqual({ verdict: "CONSISTENT", problems: [] });
});

test("a first commit that comes too late is said", () => {
  expect(failoverVerdict([], { ...good, firstCommitMs: 2000.6 }, aims)).toEqual({
    verdict: "SLOWED",
    problems: ["the cluster's first commit came 2001 ms after the kill, at most 2000 ms"],
  });
});

test("others that are slowed down are said", () => {
  expect(failoverVerdict([], { ...good, othersKept: 0.8994 }, aims)).toEqual({
    verdict: "SLOWED",
    problems: ["the others keep 89.9 % of their transfers per second, at least 90 %"],
  });
});

test("what could not be measured is no success", () => {
  const { verdict, problems } = failoverVerdict([], { firstCommitMs: Number.NaN, othersKept: Number.NaN }, aims);
  expect([verdict, problems.length]).toEqual(["SLOWED", 2]);
});

test("what is lost comes first", () => {
  const { verdict, problems } = failoverVerdict(["transfer 7 is lost"], { ...good, othersKept: 0 }, aims);
  expect(verdict).toBe("INCONSISTENT");
  expect(problems[0]).toBe("transfer 7 is lost");
  expect(problems).toHaveLength(2);
});
