// Announcements go to everyone, so what they cost a node must not grow with the network.

import { expect, test } from "vitest";
import { announceEveryMs } from "../../src/node/announcements.js";

test.each([3, 100, 500, 2048, 65_535])("%i nodes together announce at most a hundred times a second", (nodes) => {
  expect((1000 * nodes) / announceEveryMs(nodes)).toBeLessThanOrEqual(100);
});

test("a small network hears of everyone every few seconds", () => {
  expect(announceEveryMs(16)).toBe(5000);
});
