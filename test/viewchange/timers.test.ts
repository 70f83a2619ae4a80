// Timers as data (protocol 2.4): what is due when, doubling with every firing, back to the start on progress.

import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../src/types/limits.js";
import { Timers } from "../../src/viewchange/timers.js";

test("a timer is due when its delay has passed, and not before", () => {
  const timers = new Timers<string>();
  timers.start("a", { now: 100, delay: 50 });
  expect(timers.due(149)).toEqual([]);
  expect(timers.due(150)).toEqual(["a"]);
  expect(timers.due(150)).toEqual([]);
});

test("what has fired before can be made due at once, and goes on from there; what has not waits on", () => {
  const timers = new Timers<string>();
  timers.start("a:1", { now: 0, delay: 1000 });
  timers.start("b:1", { now: 0, delay: 1000 });
  for (let now = 0; now <= 16_000; now += 100) timers.due(now);
  timers.start("a:2", { now: 16_000, delay: 1000 });
  timers.hasten("a:", 16_200);
  expect(timers.wakeAt).toBe(16_200);
  expect(timers.due(16_200)).toEqual(["a:1"]);
  expect(timers.due(16_300)).toEqual([]);
  expect(timers.due(17_000)).toEqual(["a:2"]);
});

test("what it waited for doubles with each firing, delays are capped, and it starts anew once it was stopped", () => {
  const timers = new Timers<string>();
  timers.start("a", { now: 0, delay: 1000 });
  const fired: number[] = [];
  for (let now = 0; now <= 60_000; now += 100) if (timers.due(now).length > 0) fired.push(now);
  const gaps = fired.map((at, i) => at - (fired[i - 1] ?? 0));
  expect(timers.firings("a")).toBe(fired.length);
  expect(gaps).toEqual([
    1000,
    1000,
    2000,
    4000,
    8000,
    limits.timeoutMaxMs,
    limits.timeoutMaxMs,
    limits.timeoutMaxMs,
    limits.timeoutMaxMs,
  ]);
  timers.stop("a");
  timers.start("a", { now: 70_000, delay: 1000 });
  expect(timers.firings("a")).toBe(0);
  expect(timers.due(71_000)).toEqual(["a"]);
});

test("starting a running timer changes nothing", () => {
  const timers = new Timers<string>();
  timers.start("a", { now: 0, delay: 100 });
  timers.start("a", { now: 50, delay: 1 });
  expect(timers.due(60)).toEqual([]);
  expect(timers.due(100)).toEqual(["a"]);
});

test("a stopped timer does not fire, and the others do", () => {
  const timers = new Timers<string>();
  for (const name of ["a", "b", "c"]) timers.start(name, { now: 0, delay: 10 });
  timers.stop("b");
  expect(timers.isRunning("b")).toBe(false);
  expect(timers.isRunning("c")).toBe(true);
  expect(timers.due(10)).toEqual(["a", "c"]);
});

test("no tick is needed while nothing runs", () => {
  const timers = new Timers<string>();
  expect(timers.wakeAt).toBeUndefined();
  timers.start("a", { now: 0, delay: 10 });
  expect(timers.wakeAt).toBe(10);
  timers.stop("a");
  expect(timers.wakeAt).toBeUndefined();
});

const NAMES = fc.constantFrom("a", "b", "c", "d");

test("the next tick may be early, never late, whatever is started and stopped", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("start" as const), name: NAMES, delay: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("stop" as const), name: NAMES, delay: fc.constant(0) }),
    fc.record({ kind: fc.constant("wait" as const), name: fc.constant("a"), delay: fc.integer({ min: 1, max: 40 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const timers = new Timers<string>();
      const model = new Map<string, { due: number; start: number }>();
      let now = 0;
      for (const { kind, name, delay } of steps) {
        if (kind === "start") {
          timers.start(name, { now, delay });
          if (!model.has(name)) model.set(name, { due: now + delay, start: now });
        } else if (kind === "stop") {
          timers.stop(name);
          model.delete(name);
        } else {
          now += delay;
          const due = [...model].filter(([, timer]) => timer.due <= now).map(([each]) => each);
          expect([...timers.due(now)].sort()).toEqual(due.sort());
          for (const each of due) {
            const { due: at, start } = model.get(each) as { due: number; start: number };
            model.set(each, { due: now + Math.min(at - start, limits.timeoutMaxMs), start });
          }
        }
        const next = Math.min(...[...model.values()].map(({ due }) => due));
        expect(timers.wakeAt ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(next);
        expect(timers.wakeAt === undefined).toBe(model.size === 0);
      }
    }),
  );
});

test("a timer that is hurried is due earlier at its first firing and the next, and slackened it is as if it never was", () => {
  const timers = new Timers<"a:1" | "b">();
  timers.start("a:1", { now: 0, delay: 500 });
  timers.start("b", { now: 0, delay: 500 });
  timers.hurry("a:", { now: 10, delay: 250 });
  expect(timers.due(260)).toEqual(["a:1"]);
  timers.hurry("a:", { now: 270, delay: 0 });
  expect(timers.due(500)).toEqual(["b"]);
  timers.slacken("a:", 500);
  expect(timers.due(999)).toEqual([]);
  expect(timers.due(1000)).toEqual(["a:1", "b"]);
  timers.slacken("a:", 9000);
  expect(timers.due(2000)).toEqual(["a:1", "b"]);
});
