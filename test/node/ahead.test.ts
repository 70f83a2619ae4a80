// Messages with blocks from further ahead than clocks may differ (protocol 4): each is held for as long as it is too
// early and no longer, a bounded number of them, and what has no block never.

import { expect, test } from "vitest";
import { Ahead } from "../../src/node/ahead.js";
import { limits } from "../../src/types/limits.js";
import type { Verified } from "../../src/types/message.js";

const NOW = 1_700_000_000_000;

function proposalOf(time: number): Verified {
  return { from: { cluster: 1, node: 0 }, message: { kind: "propose", block: { time } } } as unknown as Verified;
}

function holdAll(times: readonly number[]): readonly number[] {
  const ahead = new Ahead();
  return times.map((time) => ahead.hold(proposalOf(time), NOW));
}

test("a block is held by the millisecond that it is too far ahead, and one of the past is not", () => {
  const edge = NOW + limits.clockAheadMs;
  expect(holdAll([edge, edge + 1, edge + 500, NOW, 0])).toEqual([0, 1, 500, 0, 0]);
});

test("years ahead it is looked at again and again, not put off for years", () => {
  expect(holdAll([NOW + 5 * 365 * 24 * 3600 * 1000])).toEqual([limits.timeoutMaxMs]);
});

test("what has no block is not held", () => {
  const accept = { from: { cluster: 1, node: 0 }, message: { kind: "accept" } } as unknown as Verified;
  expect(new Ahead().hold(accept, NOW)).toBe(0);
});

test("what is held comes out once, in its order, and a flood of it is dropped", () => {
  const ahead = new Ahead();
  const flood = Array.from({ length: 1000 }, (_, i) => proposalOf(NOW + limits.clockAheadMs + 1 + i));
  for (const each of flood) expect(ahead.hold(each, NOW)).toBeGreaterThan(0);
  const released = ahead.takeAll();
  expect(released.length).toBeLessThan(100);
  expect(released).toEqual(flood.slice(0, released.length));
  expect(released.length).toBeGreaterThan(0);
  expect(ahead.takeAll()).toEqual([]);
});
