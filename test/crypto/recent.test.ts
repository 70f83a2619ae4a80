// The bounded cache keeps what is asked for and never grows over its bound.

import { expect, it } from "vitest";
import { RecentCache } from "../../src/crypto/recent.js";

it("never holds more than two generations, however many keys come by", () => {
  const cache = new RecentCache<number, number>(10);
  for (let i = 0; i < 1000; i++) {
    cache.set(i, i);
    expect(cache.size).toBeLessThanOrEqual(20);
  }
});

it("keeps what is asked for between the others, and forgets what is not", () => {
  const cache = new RecentCache<string, number>(10);
  cache.set("wanted", 1);
  cache.set("forgotten", 2);
  for (let i = 0; i < 1000; i++) {
    cache.set(`other ${i}`, i);
    expect(cache.get("wanted")).toBe(1);
  }
  expect(cache.get("forgotten")).toBeUndefined();
});
