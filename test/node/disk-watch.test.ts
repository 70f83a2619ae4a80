// A disk that has become slow is named: a write that is still under way when its time is over is counted once, also if
// it never ends, and told of in the log once in a while; quick writes, and such as fail, are nothing to tell.

import { setImmediate as nextRound } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { DiskWatch } from "../../src/node/disk-watch.js";
import { limits } from "../../src/types/limits.js";

function watched(slowMs: number) {
  const told: object[] = [];
  let slow = 0;
  let wake = Promise.withResolvers<void>();
  const watch = new DiskWatch({
    log: { warn: (fields: object) => void told.push(fields) },
    onSlow() {
      slow++;
      wake.resolve();
      wake = Promise.withResolvers<void>();
    },
    slowMs,
  });
  return { watch, told, count: () => slow, nextSlow: () => wake.promise };
}

describe("a watched write", () => {
  test("that is quick is nothing to tell", async () => {
    const { watch, told, count } = watched(limits.writeSlowMs);
    for (let i = 0; i < 100; i++) await watch.over(Promise.resolve());
    expect(count()).toBe(0);
    expect(told).toEqual([]);
  });

  test("that is slow is counted once, while it is under way, and told of the first time only", async () => {
    const { watch, told, count, nextSlow } = watched(1);
    for (let i = 1; i <= 3; i++) {
      const write = Promise.withResolvers<void>();
      let isOver = false;
      const slow = nextSlow();
      const over = watch.over(write.promise).then(() => {
        isOver = true;
      });
      await slow;
      expect(isOver).toBe(false);
      write.resolve();
      await over;
      expect(count()).toBe(i);
    }
    expect(told).toEqual([{ slow_writes: 1, longer_than_ms: 1 }]);
  });

  test("that was done while the process stood still is none", async () => {
    const { watch, count } = watched(1);
    // From here the loop comes to its timers first, then to what else is new.
    await nextRound();
    const over = watch.over(nextRound());
    const until = performance.now() + 20;
    while (performance.now() < until);
    await over;
    await nextRound();
    expect(count()).toBe(0);
  });

  test("that fails, fails", async () => {
    const { watch, count } = watched(limits.writeSlowMs);
    await expect(watch.over(Promise.reject(new Error("the disk is gone")))).rejects.toThrow("the disk is gone");
    expect(count()).toBe(0);
  });
});
