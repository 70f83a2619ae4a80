// Connecting: who may, what it waits for, and what it connects to.

import { expect, test } from "vitest";
import { bodyOf, byzantine, clientKey, hasEnded, strangerSeed, World } from "./world.js";

test("a key that is not enrolled is refused at once", async () => {
  await expect(new World().client({ key: strangerSeed })).rejects.toMatchObject({ code: "unknown-client" });
});

test("it returns when all but f nodes of each cluster are connected", async () => {
  const world = new World();
  world.down("c1n0", "c2n0");
  expect((await world.client()).key).toBe(clientKey);
});

test("it waits for the others no longer than its time-out", async () => {
  const world = new World();
  world.down("c2n0", "c2n1");
  const client = world.client({ connectTimeoutMs: 700 });
  expect(await hasEnded(client)).toBe(false);
  world.time.advance(690);
  expect(await hasEnded(client)).toBe(false);
  world.time.advance(10);
  expect((await client).inFlight).toBe(0);
  expect(world.time.timers).toBe(0);
});

test("with clusters given it connects to their nodes only", async () => {
  const world = new World();
  const client = await world.client({ clusters: [byzantine] });
  void client.transfer({ from: "alice", to: "bob", amount: 1n });
  expect(world.take().map(({ node }) => node)).toEqual(["c1n0"]);
  const outcome = client.transfer({ from: "zoe", to: "bob", amount: 1n, deadlineMs: 100 });
  world.time.advance(100);
  expect(await outcome).toMatchObject({ code: "unavailable" });
});

test("two processes of one key do not use the same ids", async () => {
  const nonces: number[] = [];
  for (const world of [new World(), new World()]) {
    const client = await world.client();
    for (let i = 0; i < 100; i++) void client.transfer({ from: "alice", to: "bob", amount: 1n });
    nonces.push(...world.take().map((sent) => bodyOf(sent).nonce));
  }
  expect(new Set(nonces).size).toBe(200);
  for (const nonce of nonces) expect(Number.isSafeInteger(nonce)).toBe(true);
});
