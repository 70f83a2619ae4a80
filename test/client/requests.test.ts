// Requests through the SDK: whom they are sent to, which answers end them, and how.

import { beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/sdk.js";
import { ed25519Verifier, signingBytes } from "../../src/crypto/signature.js";
import { carriage } from "../../src/types/message.js";
import { bodyOf, clientKey, hasEnded, hex, namesOf, type Seen, topology, World } from "./world.js";

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

describe("where a request goes", () => {
  test("to the primary of view 0, signed over network, kind and body", () => {
    void client.transfer(inByzantine);
    const sent = takeOne();
    expect(sent.node).toBe("c1n0");
    const { body, signature, operations, client: signer } = bodyOf(sent);
    expect(hex(signer)).toBe(clientKey);
    expect(operations[0]?.debits).toEqual([{ account: "alice", amount: 5n }]);
    const bytes = signingBytes(topology.networkId, carriage.request.number, body);
    expect(ed25519Verifier.verify({ bytes, signature, publicKey: clientKey })).toBe(true);
  });

  test("a cross-shard request goes to the cluster of the first debit account", () => {
    void client.transfer({ from: "zoe", to: "alice", amount: 1n });
    expect(takeOne().node).toBe("c2n0");
  });

  test("under initiator lowest it goes to the lowest involved cluster", async () => {
    const lowest = { ...topology, cross: { ...topology.cross, initiator: "lowest" as const } };
    client = await world.client({ topology: lowest });
    void client.transfer({ from: "zoe", to: "alice", amount: 1n });
    expect(takeOne().node).toBe("c1n0");
  });

  test("requests made at once go to a node in one frame", () => {
    for (let i = 0; i < 10; i++) void client.transfer(inByzantine);
    const seen = world.take();
    expect(seen).toHaveLength(10);
    expect(new Set(seen.map(({ frame }) => frame)).size).toBe(1);
    expect(new Set(seen.map((each) => bodyOf(each).nonce)).size).toBe(10);
  });

  test("it follows the primary once f + 1 nodes report the view, and not one liar", async () => {
    const outcome = client.transfer(inByzantine);
    const first = takeOne();
    world.reply("c1n3", first, { view: 2 });
    void client.transfer(inByzantine);
    expect(takeOne().node).toBe("c1n0");
    world.reply("c1n1", first, { view: 1 });
    expect((await outcome).outcome).toBe("committed");
    void client.transfer(inByzantine);
    expect(takeOne().node).toBe("c1n1");
  });

  test("silence sends identical bytes to all nodes, again and again with longer pauses", () => {
    void client.transfer(inByzantine);
    const first = takeOne();
    world.time.advance(900);
    expect(world.take()).toEqual([]);
    world.time.advance(200);
    const second = world.take();
    expect(namesOf(second)).toEqual(allOfOne);
    for (const { bytes } of second) expect(bytes).toEqual(first.bytes);
    world.time.advance(1800);
    expect(world.take()).toEqual([]);
    world.time.advance(300);
    expect(namesOf(world.take())).toEqual(allOfOne);
  });

  test("when the node that was asked goes away, the others are asked at once with identical bytes", () => {
    void client.transfer(inByzantine);
    const first = takeOne();
    world.down("c1n0");
    world.time.advance(20);
    const second = world.take();
    expect(namesOf(second)).toEqual(["c1n1", "c1n2", "c1n3"]);
    for (const { bytes } of second) expect(bytes).toEqual(first.bytes);
  });

  test("when a node that was not asked alone goes away, nothing is sent sooner", () => {
    void client.transfer(inByzantine);
    takeOne();
    world.down("c1n1");
    world.time.advance(900);
    expect(world.take()).toEqual([]);
    world.time.advance(200);
    expect(namesOf(world.take())).toEqual(["c1n0", "c1n2", "c1n3"]);
    world.down("c1n2");
    world.time.advance(900);
    expect(world.take()).toEqual([]);
  });

  test("a primary that is not connected is not waited for", () => {
    world.down("c1n0");
    void client.transfer(inByzantine);
    expect(namesOf(world.take())).toEqual(["c1n1", "c1n2", "c1n3"]);
  });
});

describe("answers of a byzantine cluster", () => {
  test("f + 1 equal replies of different nodes end it, and one node's repeated do not", async () => {
    const outcome = client.transfer(inByzantine);
    const sent = takeOne();
    world.reply("c1n0", sent, {});
    world.reply("c1n0", sent, {});
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c1n2", sent, {});
    expect(await outcome).toMatchObject({
      outcome: "committed",
      results: ["ok"],
      height: 7,
      sequence: 65_536 * 9 + 1,
      digest: "d".repeat(64),
      cluster: 1,
      id: `${clientKey}:${bodyOf(sent).nonce}`,
    });
    expect(client.inFlight).toBe(0);
  });

  test.each([
    ["results", { results: ["insufficient-funds"] }],
    ["height", { height: 8 }],
    ["digest", { digest: "e".repeat(64) as never }],
    ["refusal", { refusal: "expired" }],
  ] as const)("a liar about the %s, and another node silent, change nothing", async (_what, lie) => {
    const outcome = client.transfer(inByzantine);
    const sent = takeOne();
    world.reply("c1n3", sent, lie);
    world.reply("c1n0", sent, {});
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c1n1", sent, {});
    expect(await outcome).toMatchObject({ outcome: "committed", results: ["ok"], height: 7, digest: "d".repeat(64) });
  });

  test("a node cannot speak for another one", async () => {
    const outcome = client.transfer(inByzantine);
    const sent = takeOne();
    world.reply("c1n3", sent, { results: ["not-owner"] });
    world.reply("c1n3", sent, { results: ["not-owner"], claims: 2 });
    expect(await hasEnded(outcome)).toBe(false);
  });

  test("a refusal is not believed of one node: the others are asked at once", async () => {
    const outcome = client.transfer(inByzantine);
    world.reply("c1n0", takeOne(), { refusal: "unknown-client" });
    const copies = world.take();
    expect(namesOf(copies)).toEqual(allOfOne);
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c1n1", copies[1] as Seen, { refusal: "unknown-client" });
    expect(await outcome).toMatchObject({ outcome: "rejected", code: "unknown-client", cluster: 1, record: undefined });
  });

  test("that the time has passed is believed when at most f nodes are left that may hold a copy", async () => {
    const outcome = client.transfer(inByzantine);
    world.reply("c1n0", takeOne(), { refusal: "expired" });
    const [c0, c1, c2] = world.take() as [Seen, Seen, Seen];
    world.reply("c1n0", c0, { refusal: "expired" });
    world.reply("c1n1", c1, { refusal: "expired" });
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c1n2", c2, { refusal: "expired" });
    expect(await outcome).toMatchObject({ outcome: "rejected", code: "expired" });
  });

  test("what only the moment speaks against may still be ordered, whoever has refused it", async () => {
    const outcome = client.transfer(inByzantine);
    world.reply("c1n0", takeOne(), { refusal: "cluster-unavailable" });
    const all = world.take();
    for (const [i, seen] of all.entries()) world.reply(`c1n${i}`, seen, { refusal: "cluster-unavailable" });
    expect(await hasEnded(outcome)).toBe(false);
    // The primary has lied, and had it ordered all the same.
    for (const [i, seen] of all.entries()) world.reply(`c1n${i}`, seen, {});
    expect(await outcome).toMatchObject({ outcome: "committed", cluster: 1 });
  });
});

describe("answers of a crash cluster", () => {
  test("one reply ends it", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), {});
    expect(await outcome).toMatchObject({ outcome: "committed", cluster: 2 });
  });

  test("one operation that failed is a rejection with its code and record", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { results: ["insufficient-funds"] });
    expect(await outcome).toMatchObject({
      outcome: "rejected",
      code: "insufficient-funds",
      record: { cluster: 2, height: 7, digest: "d".repeat(64) },
    });
  });

  test("operations of a batch have their own results", async () => {
    const operation = {
      kind: "transfer",
      debits: [{ account: "zoe", amount: 1n }],
      credits: [{ account: "yann", amount: 1n }],
    } as const;
    const outcome = client.submit({ operations: [operation, operation] });
    world.reply("c2n0", takeOne(), { results: ["ok", "insufficient-funds"] });
    expect(await outcome).toMatchObject({ outcome: "committed", results: ["ok", "insufficient-funds"] });
  });

  test("a reply to another request of the same id is no reply", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { request: "e".repeat(64) as never });
    expect(await hasEnded(outcome)).toBe(false);
  });

  test("results of another number than the operations are no results", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { results: ["ok", "ok"] });
    expect(await hasEnded(outcome)).toBe(false);
  });

  test("expired at a backup says nothing while the primary may hold a copy", async () => {
    const outcome = client.transfer(inCrash);
    takeOne();
    world.time.advance(1100);
    const copies = world.take();
    world.reply("c2n1", copies[1] as Seen, { refusal: "expired" });
    world.reply("c2n2", copies[2] as Seen, { refusal: "expired" });
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c2n0", copies[0] as Seen, {});
    expect((await outcome).outcome).toBe("committed");
  });

  test("expired at one node is asked of the others at once, and final when they say so, too", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { refusal: "expired" });
    expect(await hasEnded(outcome)).toBe(false);
    const copies = world.take();
    expect(copies.map(({ node }) => node)).toEqual(["c2n0", "c2n1", "c2n2"]);
    for (const node of ["c2n0", "c2n1", "c2n2"] as const) {
      world.reply(node, copies.find((copy) => copy.node === node) as Seen, { refusal: "expired" });
    }
    expect(await outcome).toMatchObject({ outcome: "rejected", code: "expired" });
  });

  test("expired at a primary whose clock is ahead is not the end, for another may have it ordered", async () => {
    const outcome = client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { refusal: "expired" });
    const copies = world.take();
    world.reply("c2n0", copies[0] as Seen, { refusal: "expired" });
    expect(await hasEnded(outcome)).toBe(false);
    world.reply("c2n1", copies[1] as Seen, {});
    expect((await outcome).outcome).toBe("committed");
  });
});

describe("busy", () => {
  test("the primary alone is asked again, after the time it asks for and not before", async () => {
    const outcome = client.transfer(inCrash);
    const first = takeOne();
    world.reply("c2n0", first, { refusal: "busy", retryAfterMs: 300 });
    world.time.advance(280);
    expect(world.take()).toEqual([]);
    world.time.advance(40);
    const again = takeOne();
    expect(again).toMatchObject({ node: "c2n0", bytes: first.bytes });
    world.reply("c2n0", again, {});
    expect((await outcome).outcome).toBe("committed");
  });

  test("is asked again at another moment by each, lest all come back together", () => {
    world.time.luck = 1;
    void client.transfer(inCrash);
    world.reply("c2n0", takeOne(), { refusal: "busy", retryAfterMs: 300 });
    world.time.advance(420);
    expect(world.take()).toEqual([]);
    world.time.advance(60);
    expect(world.take()).toHaveLength(1);
  });

  test("to the deadline is a rejection in a crash cluster, since nobody holds a copy", async () => {
    const outcome = client.transfer({ ...inCrash, deadlineMs: 500 });
    world.reply("c2n0", takeOne(), { refusal: "busy", retryAfterMs: 9000 });
    world.time.advance(500);
    expect(await outcome).toMatchObject({ outcome: "rejected", code: "busy" });
  });

  test("of one byzantine node is no proof: the outcome stays unknown, with the hint", async () => {
    const outcome = client.transfer({ ...inByzantine, deadlineMs: 500 });
    world.reply("c1n0", takeOne(), { refusal: "busy", retryAfterMs: 9000 });
    world.time.advance(500);
    expect(await outcome).toMatchObject({ outcome: "unknown", lastRefusal: "busy" });
  });

  test("a byzantine primary that is always busy does not keep the others from hearing of it", () => {
    void client.transfer(inByzantine);
    for (let i = 0; i < 3; i++) {
      world.reply("c1n0", takeOne(), { refusal: "busy", retryAfterMs: 100 });
      world.time.advance(120);
    }
    expect(namesOf(world.take())).toEqual(allOfOne);
  });

  test("of a node that is not primary does not put off the next attempt", () => {
    void client.transfer(inByzantine);
    world.reply("c1n2", takeOne(), { refusal: "busy", retryAfterMs: 9000 });
    world.time.advance(1100);
    expect(namesOf(world.take())).toEqual(allOfOne);
  });
});

test("bytes that are no message, and answers to nothing, are no harm", async () => {
  const outcome = client.transfer(inCrash);
  const sent = takeOne();
  world.sayBytes("c2n0", Uint8Array.of(255, 255, 255));
  world.say("c2n0", carriage.reply.number, Uint8Array.of(8, 0));
  world.say("c2n0", 99, new Uint8Array(0));
  world.reply("c1n0", sent, {});
  expect(await hasEnded(outcome)).toBe(false);
  world.reply("c2n0", sent, {});
  world.reply("c2n0", sent, { results: ["not-owner"] });
  expect((await outcome).outcome).toBe("committed");
});

test("an idle client keeps no timer", async () => {
  const outcome = client.transfer(inCrash);
  world.reply("c2n0", takeOne(), {});
  await outcome;
  world.time.advance(40);
  expect(world.time.timers).toBe(0);
});
