// What `sharper crashes` may claim: a boundary was tried if one node died there, and nowhere else; and all were tried
// only if each of them was.

import { expect, test } from "vitest";
import { asked, isClean, tallyOf } from "../../src/cli/crashes-tally.js";
import type { CrashOutcome } from "../../src/cli/crashes-worker.js";

const places = ["1.000 ms c1n0 before", "1.000 ms c1n0 after", "1.500 ms c1n1 before", "1.500 ms c1n1 after"];
const all = { from: 0, to: 3, every: 1 };
const passed = places.map(
  (place, boundary): CrashOutcome => ({ boundary, crashes: [place], verdict: "PASS", reasons: [] }),
);
const tally = (outcomes: readonly CrashOutcome[], part = all) => tallyOf({ kind: "crash", places, part, outcomes });

test("a part is every so many boundaries from the first to the last", () => {
  expect(asked(all)).toEqual([0, 1, 2, 3]);
  expect(asked({ from: 1, to: 3, every: 2 })).toEqual([1, 3]);
  expect(asked({ from: 0, to: 2, every: 5 })).toEqual([0]);
});

test("all boundaries were tried when one node died at each", () => {
  expect(tally(passed)).toMatchObject({ boundaries: 4, asked: 4, tried: 4, failed: 0, missing: undefined });
  expect(isClean(tally(passed))).toBe(true);
});

test("a part that was tried is clean, and not all", () => {
  const part = tally(passed.slice(2), { from: 2, to: 3, every: 1 });
  expect(part).toMatchObject({ boundaries: 4, asked: 2, tried: 2 });
  expect(isClean(part)).toBe(true);
});

test("a boundary without a run is missing", () => {
  const part = tally([...passed.slice(0, 2), ...passed.slice(3)]);
  expect(part).toMatchObject({ asked: 4, tried: 3, failed: 0, missing: 2 });
  expect(isClean(part)).toBe(false);
});

test.each([
  ["nobody died", []],
  ["somebody died elsewhere", [places[0] as string]],
  ["somebody died once more", [places[1] as string, "2.000 ms c1n0 after"]],
])("a boundary was not tried if %s", (_, crashes) => {
  const wrong = tally(passed.map((each) => (each.boundary === 1 ? { ...each, crashes } : each)));
  expect(wrong).toMatchObject({ tried: 3, failed: 1, missing: 1 });
  expect(wrong.failures[0]).toMatchObject({ boundary: 1, place: places[1] });
  expect(isClean(wrong)).toBe(false);
});

test("a run that fails was tried, and is no success", () => {
  const wrong = { ...(passed[3] as CrashOutcome), verdict: "VIOLATION I8", reasons: ["I8: c1n1"] } as const;
  const failed = tally([...passed.slice(0, 3), wrong]);
  expect(failed).toMatchObject({ tried: 4, failed: 1, missing: undefined });
  expect(failed.failures).toEqual([{ boundary: 3, place: places[3], verdict: "VIOLATION I8", reasons: ["I8: c1n1"] }]);
  expect(isClean(failed)).toBe(false);
});
