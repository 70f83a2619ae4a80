// What the state root costs (protocol 6): after the first time it is hashed as far as accounts have changed, and not as
// many as there are. Hashes are counted where all of them are made.

import { expect, test, vi } from "vitest";
import { bucketOf } from "../../src/execution/buckets.js";
import type { AccountValue } from "../../src/execution/engine.js";
import type { AccountId } from "../../src/types/ids.js";
import { positionOf, stateOf } from "./states.js";
import { ALICE, NOON } from "./world.js";

const hashed = vi.hoisted(() => ({ times: 0, bytes: 0 }));

vi.mock(import("../../src/crypto/hash.js"), async (original) => {
  const real = await original();
  const count = <T>(bytes: Uint8Array, value: T): T => {
    hashed.times++;
    hashed.bytes += bytes.length;
    return value;
  };
  return {
    ...real,
    sha256: (bytes) => count(bytes, real.sha256(bytes)),
    digestOf: (bytes) => count(bytes, real.digestOf(bytes)),
  };
});

const ACCOUNTS = 100_000;

const named = (n: number, balance = 5n): AccountValue => ({
  account: `client${n % 100}-${n}` as AccountId,
  balance,
  owner: ALICE,
});

function world(accounts: number) {
  const root = stateOf({ accounts: Array.from({ length: accounts }, (_, n) => named(n)), recordTime: NOON });
  /** What the root costs when so many accounts have changed. */
  const costOf = (changed: readonly AccountValue[]) => {
    root.apply({ accounts: changed, ids: [], position: positionOf(1), recordTime: NOON });
    Object.assign(hashed, { times: 0, bytes: 0 });
    root.root();
    return { ...hashed };
  };
  const first = costOf([]);
  return { costOf, first, unchanged: costOf([]) };
}

test.each([1, 10, 100, 1000])("of %d changed accounts among 100,000 it is that of their buckets", (count) => {
  const { costOf, first, unchanged } = world(ACCOUNTS);
  const accounts = Array.from({ length: count }, (_, n) => named(13 * n, 6n));
  const buckets = new Set(accounts.map(({ account }) => bucketOf(account)));
  const groups = new Set([...buckets].map((bucket) => Math.floor(bucket / 64)));
  const cost = costOf(accounts);
  // Beside what it costs anyway: of each bucket one to three pages and the digest of these, and of each group the tree
  // over its 64 buckets.
  const trees = groups.size * (64 + 63);
  expect(cost.times - unchanged.times).toBeGreaterThanOrEqual(2 * buckets.size + trees);
  expect(cost.times - unchanged.times).toBeLessThanOrEqual(4 * buckets.size + trees);
  if (count > 1) return;
  expect(cost.times).toBeLessThan(first.times / 50);
  expect(cost.bytes).toBeLessThan(first.bytes / 200);
});

test("does not depend on how many others there are, but for the size of a bucket", () => {
  const [few, many] = [world(ACCOUNTS / 10), world(ACCOUNTS)];
  const cost = ({ costOf }: typeof few) => costOf([named(3, 9n)]).times;
  expect(cost(many) - cost(few)).toBeLessThan(10);
  expect(many.unchanged).toEqual(few.unchanged);
});
