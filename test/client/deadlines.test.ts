// Every call ends by its deadline; what is unknown then is resolved later; wrong use is told before anything is sent.

import { beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/sdk.js";
import { hasEnded, namesOf, type Seen, World } from "./world.js";

const inByzantine = { from: "alice", to: "bob", amount: 5n } as const;
const inCrash = { from: "zoe", to: "yann", amount: 5n } as const;
const allOfOne = ["c1n0", "c1n1", "c1n2", "c1n3"];

let world: World;
let client: Client;

beforeEach(async () => {
  world = new World();
  client = await world.client();
});

function takeOne(): Seen {
  const [only, ...more] = world.take();
  expect(more).toEqual([]);
  return only as Seen;
}

describe("deadlines", () => {
  test("without answers the outcome is unknown, by the deadline", async () => {
    const outcome = client.transfer({ ...inByzantine, deadlineMs: 3000 });
    world.time.advance(2900);
    expect(await hasEnded(outcome)).toBe(false);
    world.time.advance(100);
    expect(await outcome).toMatchObject({ outcome: "unknown", cluster: 1, lastRefusal: undefined });
    expect(world.time.timers).toBe(0);
  });

  test("an unknown outcome is resolved with the same bytes, and a late reply in between harms nothing", async () => {
    const pending = client.transfer({ ...inByzantine, deadlineMs: 500 });
    const sent = takeOne();
    world.time.advance(500);
    const unknown = await pending;
    if (unknown.outcome !== "unknown") throw new Error(unknown.outcome);
    world.reply("c1n0", sent, { results: ["insufficient-funds"] });
    const resolved = unknown.resolve();
    await hasEnded(resolved);
    const copies = world.take();
    expect(namesOf(copies)).toEqual(allOfOne);
    expect(copies[0]?.bytes).toEqual(sent.bytes);
    world.reply("c1n0", sent, {});
    world.reply("c1n1", sent, {});
    expect((await resolved).outcome).toBe("committed");
  });

  test("a request is resolved from its bytes by another client object of the same key", async () => {
    const pending = client.transfer({ ...inCrash, deadlineMs: 500 });
    const sent = takeOne();
    await client.close();
    const unknown = await pending;
    if (unknown.outcome !== "unknown") throw new Error(unknown.outcome);
    world = new World();
    const resolved = (await world.client()).resolve(unknown.request.bytes);
    await hasEnded(resolved);
    expect(namesOf(world.take())).toEqual(["c2n0", "c2n1", "c2n2"]);
    world.reply("c2n1", sent, {});
    expect((await resolved).outcome).toBe("committed");
  });

  test("expired is no answer to resolve: nodes may have executed and forgotten it", async () => {
    const pending = client.transfer({ ...inCrash, deadlineMs: 500, validForMs: 1000 });
    takeOne();
    world.time.advance(500);
    const unknown = await pending;
    if (unknown.outcome !== "unknown") throw new Error(unknown.outcome);
    const resolved = unknown.resolve({ deadlineMs: 5000 });
    await hasEnded(resolved);
    for (const copy of world.take()) world.reply(copy.node as "c2n0", copy, { refusal: "expired" });
    world.time.advance(5000);
    expect(await resolved).toMatchObject({ outcome: "unknown", lastRefusal: "expired" });
  });

  test("resolve goes on until 30 s after validUntil", async () => {
    const pending = client.transfer({ ...inCrash, deadlineMs: 500, validForMs: 20_000 });
    world.time.advance(500);
    const unknown = await pending;
    if (unknown.outcome !== "unknown") throw new Error(unknown.outcome);
    const resolved = unknown.resolve();
    await hasEnded(resolved);
    world.time.advance(49_400);
    expect(await hasEnded(resolved)).toBe(false);
    world.time.advance(100);
    expect((await resolved).outcome).toBe("unknown");
  });

  test("a request that no node was within reach for is rejected as unavailable", async () => {
    world.down("c2n0", "c2n1", "c2n2");
    const outcome = client.transfer({ ...inCrash, deadlineMs: 500 });
    world.time.advance(500);
    expect(await outcome).toMatchObject({ outcome: "rejected", code: "unavailable" });
  });

  test("a node that comes within reach in time is sent what waits", async () => {
    world.down("c2n0", "c2n1", "c2n2");
    const outcome = client.transfer(inCrash);
    world.time.advance(200);
    expect(world.take()).toEqual([]);
    world.up("c2n1");
    world.time.advance(20);
    world.reply("c2n1", takeOne(), {});
    expect((await outcome).outcome).toBe("committed");
  });

  test("close ends what is in flight as unknown, and later calls are wrong use", async () => {
    const outcome = client.transfer(inByzantine);
    await client.close();
    expect((await outcome).outcome).toBe("unknown");
    expect(world.stopped).toBe(true);
    await expect(client.transfer(inByzantine)).rejects.toMatchObject({ code: "closed" });
  });
});

describe("wrong use throws before anything is sent", () => {
  const transfer = (debits: readonly [string, bigint][], credits: readonly [string, bigint][]) => ({
    kind: "transfer" as const,
    debits: debits.map(([account, amount]) => ({ account, amount })),
    credits: credits.map(([account, amount]) => ({ account, amount })),
  });

  test.each([
    ["zero-amount", [transfer([["alice", 0n]], [["bob", 0n]])]],
    ["bad-account", [transfer([["al ice", 1n]], [["bob", 1n]])]],
    ["unbalanced", [transfer([["alice", 2n]], [["bob", 1n]])]],
    [
      "repeated-account",
      [
        transfer(
          [
            ["alice", 1n],
            ["alice", 1n],
          ],
          [["bob", 2n]],
        ),
      ],
    ],
    ["amount-overflow", [transfer([["alice", 1n << 63n]], [["bob", 1n << 63n]])]],
    ["mixed-clusters", [transfer([["alice", 1n]], [["bob", 1n]]), transfer([["zoe", 1n]], [["bob", 1n]])]],
    ["malformed", []],
    ["malformed", [transfer([["alice", 1n << 64n]], [["bob", 1n << 64n]])]],
    ["malformed", [transfer([["alice", -1n]], [["bob", -1n]])]],
    ["malformed", [transfer([], [["bob", 1n]])]],
    ["bad-account", [{ kind: "open" as const, account: "" }]],
  ])("%s", async (code, operations) => {
    await expect(client.submit({ operations })).rejects.toMatchObject({ name: "CodedError", code });
    expect(world.take()).toEqual([]);
    expect(client.inFlight).toBe(0);
  });

  test("a validity beyond what the network remembers", async () => {
    await expect(client.transfer({ ...inCrash, validForMs: 600_001 })).rejects.toMatchObject({
      code: "valid-too-long",
    });
  });

  test("bytes that are no request of this client's", async () => {
    await expect(client.resolve(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: "not-a-request" });
  });
});
