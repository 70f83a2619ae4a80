// The registry of keys: numbers of tables never change, keys sort as what they hold, and every key can be named.

import fc from "fast-check";
import { expect, it } from "vitest";
import {
  accountKey,
  accountOfKey,
  blockKey,
  bootKey,
  catchUpKey,
  certificatesKey,
  checkpointKey,
  chunkKey,
  describeKey,
  earlyKey,
  expiredRange,
  expiryKey,
  heightKey,
  heightOfExpiryKey,
  heightOfKey,
  heightRange,
  historyKey,
  idOfReplyKey,
  incarnationKey,
  metaKey,
  placedKey,
  positionKey,
  prefixRange,
  progressKey,
  recordKey,
  replyKey,
  saidKey,
  slotKey,
  snapshotKey,
  stampKey,
  startKey,
  sumKey,
  supersededKey,
  TABLES,
  tableOf,
  verdictKey,
  viewKey,
} from "../../src/ledger/keys.js";
import type { AccountId, Digest, PublicKey } from "../../src/types/ids.js";

const height = fc.maxSafeNat();
const client = fc.constantFrom("00".repeat(32), "7f".repeat(32), "ff".repeat(32)) as fc.Arbitrary<PublicKey>;
const digest = "5a".repeat(32) as Digest;

it("tables have the numbers that they were given once", () => {
  expect(TABLES).toEqual({
    meta: 1,
    view: 2,
    slot: 3,
    placed: 4,
    block: 5,
    record: 6,
    certificates: 7,
    account: 8,
    reply: 9,
    expiry: 10,
    checkpoint: 11,
    early: 12,
    verdict: 13,
    height: 14,
    progress: 15,
    said: 16,
    catchup: 17,
    stamp: 18,
    sum: 19,
    boot: 20,
    start: 21,
    incarnation: 22,
    position: 23,
    chunk: 24,
    snapshot: 25,
    evidence: 26,
    superseded: 28,
    history: 29,
  });
});

it("every builder's keys lie in their own table's range and can be named", () => {
  const keys = {
    meta: metaKey("network"),
    view: viewKey(),
    slot: slotKey(3),
    placed: placedKey(digest),
    block: blockKey(digest),
    record: recordKey(17),
    certificates: certificatesKey(17),
    account: accountKey("alice" as AccountId),
    reply: replyKey("ab".repeat(32) as PublicKey, 5),
    expiry: expiryKey(1, 5),
    checkpoint: checkpointKey(),
    early: earlyKey(digest),
    verdict: verdictKey(digest),
    height: heightKey(digest),
    progress: progressKey(),
    said: saidKey(),
    catchup: catchUpKey(),
    stamp: stampKey(),
    sum: sumKey(),
    boot: bootKey(),
    start: startKey(2),
    incarnation: incarnationKey(2),
    position: positionKey(17),
    chunk: chunkKey(2),
    snapshot: snapshotKey(),
    superseded: supersededKey("ab".repeat(32) as PublicKey, 5, 7),
    history: historyKey(),
  };
  for (const [table, key] of Object.entries(keys)) {
    const { gte, lt } = prefixRange(table as keyof typeof keys);
    expect(Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0).toBe(true);
    expect(tableOf(key)).toBe(table);
    expect(describeKey(key).startsWith(table)).toBe(true);
  }
  expect(describeKey(keys.record)).toBe("record 17");
  expect(describeKey(keys.account)).toBe("account alice");
});

it("any bytes can be named", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (key) => typeof describeKey(key) === "string"));
});

it("heights and times sort as numbers and read back", () => {
  fc.assert(
    fc.property(height, height, (a, b) => {
      expect(Math.sign(Buffer.compare(recordKey(a), recordKey(b)))).toBe(Math.sign(a - b));
      expect(heightOfKey(slotKey(a))).toBe(a);
    }),
  );
});

it("a range of heights holds both of its ends", () => {
  const { gte, lt } = heightRange("record", 3, 5);
  const inside = [2, 3, 4, 5, 6].filter(
    (each) => Buffer.compare(recordKey(each), gte) >= 0 && Buffer.compare(recordKey(each), lt) < 0,
  );
  expect(inside).toEqual([3, 4, 5]);
});

it("ids read back from their keys, and records whose replies expired before a time are a range", () => {
  fc.assert(
    fc.property(client, height, height, height, (who, nonce, validUntil, time) => {
      expect(idOfReplyKey(replyKey(who, nonce))).toEqual({ client: who, nonce });
      expect(heightOfExpiryKey(expiryKey(validUntil, nonce))).toBe(nonce);
      const expired = Buffer.compare(expiryKey(validUntil, nonce), expiredRange(time).lt) < 0;
      expect(expired).toBe(validUntil < time);
    }),
  );
});

it("accounts read back from their keys", () => {
  expect(accountOfKey(accountKey("c1-0" as AccountId))).toBe("c1-0");
});
