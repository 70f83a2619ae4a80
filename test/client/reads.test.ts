// Balances through the SDK: who is asked, how many must agree, and how old an answer may be.

import { beforeEach, expect, test } from "vitest";
import type { Client } from "../../src/client/sdk.js";
import { clientKey, hasEnded, namesOf, type Seen, World } from "./world.js";

let world: World;
let client: Client;

beforeEach(async () => {
  world = new World();
  client = await world.client();
});

test("a byzantine cluster is believed when f + 1 nodes say the same at the same height", async () => {
  const outcome = client.balance("alice");
  const [sent] = world.take() as [Seen];
  world.readReply("c1n3", sent, { height: 9, balance: 1_000_000n });
  world.readReply("c1n0", sent, { height: 5, balance: 70n });
  expect(await hasEnded(outcome)).toBe(false);
  world.readReply("c1n0", sent, { height: 5, balance: 70n });
  expect(await hasEnded(outcome)).toBe(false);
  world.readReply("c1n1", sent, { height: 5, balance: 70n });
  expect(await outcome).toMatchObject({
    outcome: "read",
    accounts: [{ account: "alice", exists: true, balance: 70n, owner: clientKey, cluster: 1, height: 5 }],
  });
});

test.each([1, 6, 900])(
  "a liar who says the truth of record 7 at height %i does not choose the height",
  async (height) => {
    const outcome = client.balance("alice");
    const [sent] = world.take() as [Seen];
    world.readReply("c1n3", sent, { height, balance: 70n });
    world.readReply("c1n0", sent, { height: 7, balance: 70n });
    expect(await hasEnded(outcome)).toBe(false);
    world.readReply("c1n1", sent, { height: 7, balance: 70n });
    expect(await outcome).toMatchObject({ accounts: [{ balance: 70n, height: 7 }] });
  },
);

test("equal balances of nodes that never meet at a record are believed at the second try, without a height", async () => {
  const outcome = client.balance("alice");
  const [sent] = world.take() as [Seen];
  world.readReply("c1n0", sent, { height: 7, balance: 70n });
  world.readReply("c1n1", sent, { height: 8, balance: 70n });
  expect(await hasEnded(outcome)).toBe(false);
  world.time.advance(80);
  const [again] = world.take() as [Seen];
  world.readReply("c1n0", again, { height: 9, balance: 70n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 70n, height: undefined }] });
});

test("nodes that disagree are asked again soon", async () => {
  const outcome = client.balance("alice");
  const asked = world.take();
  expect(namesOf(asked)).toEqual(["c1n0", "c1n1", "c1n2", "c1n3"]);
  for (const [i, name] of (["c1n0", "c1n1", "c1n2"] as const).entries()) {
    world.readReply(name, asked[0] as Seen, { height: i + 1, balance: BigInt(i) });
  }
  world.time.advance(80);
  const again = world.take();
  expect(namesOf(again)).toEqual(["c1n0", "c1n1", "c1n2", "c1n3"]);
  world.readReply("c1n0", again[0] as Seen, { height: 3, balance: 2n });
  expect((await outcome).outcome).toBe("read");
});

test("of a crash cluster the primary is asked, and the others when it is silent", async () => {
  const outcome = client.balance("zoe");
  const [sent, ...others] = world.take();
  expect(sent?.node).toBe("c2n0");
  expect(others).toEqual([]);
  world.time.advance(1100);
  const copies = world.take();
  expect(namesOf(copies)).toEqual(["c2n0", "c2n1", "c2n2"]);
  world.readReply("c2n2", copies[2] as Seen, { height: 1, balance: 3n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 3n }] });
});

test("when the crash primary that was asked goes away, the others are asked at once", async () => {
  const outcome = client.balance("zoe");
  expect(namesOf(world.take())).toEqual(["c2n0"]);
  world.down("c2n0");
  world.time.advance(20);
  const [copy] = world.take() as [Seen];
  expect(copy.node).toBe("c2n1");
  world.readReply("c2n1", copy, { height: 1, balance: 3n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 3n, height: 1 }] });
});

test("a client reads its own writes: older answers are not taken", async () => {
  const transfer = client.transfer({ from: "zoe", to: "yann", amount: 1n });
  const [request] = world.take() as [Seen];
  world.reply("c2n0", request, { height: 12 });
  await transfer;
  const outcome = client.balance("zoe");
  const [sent] = world.take() as [Seen];
  world.readReply("c2n0", sent, { height: 11, balance: 100n });
  expect(await hasEnded(outcome)).toBe(false);
  world.readReply("c2n0", sent, { height: 12, balance: 99n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 99n, height: 12 }] });
});

test("a client never goes back in time: what it read before is not taken older", async () => {
  const first = client.balance("zoe");
  const [early] = world.take() as [Seen];
  world.readReply("c2n0", early, { height: 12, balance: 99n });
  await first;
  const outcome = client.balance("zoe");
  const [sent] = world.take() as [Seen];
  world.readReply("c2n0", sent, { height: 11, balance: 100n });
  expect(await hasEnded(outcome)).toBe(false);
  world.readReply("c2n0", sent, { height: 12, balance: 99n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 99n, height: 12 }] });
});

test("equal balances at different records take the client to the lowest of them, so that no liar locks it out", async () => {
  const first = client.balance("alice");
  const [early] = world.take() as [Seen];
  world.readReply("c1n3", early, { height: 900, balance: 70n });
  world.readReply("c1n0", early, { height: 8, balance: 70n });
  world.time.advance(80);
  world.take();
  world.readReply("c1n0", early, { height: 8, balance: 70n });
  await first;
  const outcome = client.balance("alice");
  const [sent] = world.take() as [Seen];
  for (const name of ["c1n0", "c1n1"] as const) world.readReply(name, sent, { height: 7, balance: 71n });
  expect(await hasEnded(outcome)).toBe(false);
  for (const name of ["c1n0", "c1n1"] as const) world.readReply(name, sent, { height: 8, balance: 70n });
  expect(await outcome).toMatchObject({ accounts: [{ balance: 70n, height: 8 }] });
});

test("accounts of several clusters come back in the order of the question, repeated ones included", async () => {
  const outcome = client.balance(["zoe", "alice", "zoe"]);
  const asked = world.take();
  const crash = asked.find(({ node }) => node === "c2n0") as Seen;
  const byzantine = asked.find(({ node }) => node === "c1n0") as Seen;
  world.readReply("c2n0", crash, { height: 1, balance: 2n });
  world.readReply("c1n0", byzantine, { height: 1, balance: 1n });
  world.readReply("c1n1", byzantine, { height: 1, balance: 1n });
  const read = await outcome;
  if (read.outcome !== "read") throw new Error(read.outcome);
  expect(read.accounts.map(({ account, balance }) => [account, balance])).toEqual([
    ["zoe", 2n],
    ["alice", 1n],
    ["zoe", 2n],
  ]);
});

test("an answer about other accounts is no answer", async () => {
  const about = client.balance("bob", { deadlineMs: 500 });
  const [bob] = world.take() as [Seen];
  const outcome = client.balance("alice", { deadlineMs: 500 });
  world.take();
  for (const name of ["c1n0", "c1n1"] as const) world.readReply(name, bob, { height: 1, balance: 1n });
  expect((await about).outcome).toBe("read");
  expect(await hasEnded(outcome)).toBe(false);
});

test("clusters that do not answer by the deadline are named", async () => {
  const outcome = client.balance(["alice", "zoe"], { deadlineMs: 500 });
  const asked = world.take();
  world.readReply("c2n0", asked.find(({ node }) => node === "c2n0") as Seen, { height: 1, balance: 2n });
  await hasEnded(outcome);
  world.time.advance(500);
  expect(await outcome).toMatchObject({ outcome: "unavailable", clusters: [1] });
});

test("a text that is no account name is wrong use", async () => {
  await expect(client.balance("no name")).rejects.toMatchObject({ code: "bad-account" });
});
