// Virtual time: events happen by their time, those of one moment in the order in which they were asked for, and time
// that nothing happens in costs nothing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventQueue } from "../../src/sim/events.js";

describe("the event queue", () => {
  test("lets events happen by time, then by order of asking", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), async (times) => {
        const queue = new EventQueue();
        const happened: { time: number; order: number; now: number }[] = [];
        times.forEach((time, order) => {
          queue.at(time, () => void happened.push({ time, order, now: queue.now }));
        });
        await queue.runUntil(100);
        const expected = times
          .map((time, order) => ({ time, order, now: time }))
          .sort((a, b) => a.time - b.time || a.order - b.order);
        expect(happened).toEqual(expected);
        expect(queue.now).toBe(100);
      }),
    );
  });

  test("lets what is asked for too late happen now, after what was asked for before it", async () => {
    const queue = new EventQueue();
    const happened: string[] = [];
    queue.at(10, () => {
      queue.at(3, () => void happened.push(`late at ${queue.now}`));
      happened.push("first");
    });
    queue.at(10, () => void happened.push("second"));
    await queue.runUntil(10);
    expect(happened).toEqual(["first", "second", "late at 10"]);
  });

  test("stops at the time given, and goes on from there", async () => {
    const queue = new EventQueue();
    const happened: number[] = [];
    for (const time of [5, 10, 15]) queue.at(time, () => void happened.push(time));
    await queue.runUntil(10);
    expect(happened).toEqual([5, 10]);
    await queue.runUntil(20);
    expect(happened).toEqual([5, 10, 15]);
    expect(queue.performed).toBe(3);
  });

  test("waits for an event's promise before the next event", async () => {
    const queue = new EventQueue();
    const happened: string[] = [];
    queue.at(1, async () => {
      await Promise.resolve();
      await Promise.resolve();
      happened.push("slow");
    });
    queue.at(1, () => void happened.push("next"));
    await queue.runUntil(1);
    expect(happened).toEqual(["slow", "next"]);
  });

  test("stops where it is when it is over", async () => {
    const queue = new EventQueue();
    let count = 0;
    for (let i = 1; i <= 10; i++) queue.at(i, () => void count++);
    await queue.runUntil(100, () => count === 4);
    expect([count, queue.now]).toEqual([4, 4]);
  });
});
