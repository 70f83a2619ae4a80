import { expect, it } from "vitest";
import { limits } from "../../src/types/limits.js";
import { Timers } from "../../src/viewchange/timers.js";

it("a timer fires when it is due, and again after twice its delay, capped, until it is stopped", () => {
  const timers = new Timers<"a">();
  timers.start("a", { now: 0, delay: 4000 });
  expect(timers.due(3999)).toEqual([]);
  expect(timers.due(4000)).toEqual(["a"]);
  expect(timers.wakeAt).toBe(4000 + 8000);
  expect(timers.due(12_000)).toEqual(["a"]);
  expect(timers.wakeAt).toBe(12_000 + limits.timeoutMaxMs);
  timers.stop("a");
  expect(timers.due(1_000_000)).toEqual([]);
  expect(timers.wakeAt).toBeUndefined();
});

it("starting a running timer changes nothing; a stopped one falls back to its first delay", () => {
  const timers = new Timers<"a">();
  timers.start("a", { now: 0, delay: 10 });
  timers.start("a", { now: 5, delay: 10 });
  expect(timers.due(10)).toEqual(["a"]);
  timers.stop("a");
  timers.start("a", { now: 100, delay: 10 });
  expect(timers.due(110)).toEqual(["a"]);
});

it("due timers come in the order of their start", () => {
  const timers = new Timers<"a" | "b" | "c">();
  timers.start("b", { now: 0, delay: 5 });
  timers.start("a", { now: 0, delay: 3 });
  timers.start("c", { now: 0, delay: 9 });
  expect(timers.due(6)).toEqual(["b", "a"]);
});

it("the time to wake may be early, never late", () => {
  const timers = new Timers<"a" | "b">();
  timers.start("a", { now: 0, delay: 5 });
  timers.start("b", { now: 0, delay: 50 });
  timers.stop("a");
  expect(timers.wakeAt).toBeLessThanOrEqual(50);
  expect(timers.due(5)).toEqual([]);
  expect(timers.wakeAt).toBe(50);
});
