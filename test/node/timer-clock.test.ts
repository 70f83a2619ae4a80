// The clock of timers (protocol 2.4): real time while the process keeps up, a quarter of it while it is swamped, and
// never backwards.

import { expect, test } from "vitest";
import { TimerClock } from "../../src/node/timer-clock.js";

/** A process whose loop is busy for a share of each step. */
function process() {
  let [idle, active] = [0, 0];
  const clock = new TimerClock({ monotonic: () => idle + active, utilization: () => ({ idle, active }) });
  const ticks = [clock.tick];
  return {
    ticks,
    pass(ms: number, share: number): number {
      const before = clock.tick;
      for (let step = 0; step < ms; step += 10) {
        idle += 10 * (1 - share);
        active += 10 * share;
        ticks.push(clock.tick);
      }
      return clock.tick - before;
    },
  };
}

test("is real time while the loop keeps up", () => {
  expect(process().pass(2000, 0.55)).toBeCloseTo(2000);
});

test("is a quarter while the loop is swamped, and real time again soon after", () => {
  const { pass } = process();
  const swamped = pass(4000, 1);
  // The first tenth of a second is counted before it is known.
  expect(swamped).toBeGreaterThan(1000);
  expect(swamped).toBeLessThan(1150);
  expect(pass(1000, 0.2)).toBeGreaterThan(900);
});

test("never goes back", () => {
  const { pass, ticks } = process();
  for (const share of [0, 1, 0.5, 1, 0]) pass(370, share);
  expect(ticks).toEqual([...ticks].sort((a, b) => a - b));
});
