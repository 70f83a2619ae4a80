// Noise at the door: random bytes, and real packets with a few bytes changed, cut off, or put together from two.
// Whatever it is, the door answers with an event or a counted rejection and never throws; and no node that meets the
// events of the mutated packets of byzantine clusters, whose votes are signed, changes anything on its disk. A function
// of its seed.

import { describe, expect, test } from "vitest";
import { contentOf, expectConsistent } from "../support/inspect.js";
import { type NetworkOptions, type Packet, TestNetwork } from "../support/network.js";
import { below, type Random, randomOf, someOf } from "../support/schedule.js";

const seed = Number(process.env["SEEDS"]?.split("-")[0] ?? 1);

/** One of every kind and more: what passes in a network with collisions, losses, questions and answers. */
async function record(
  options: NetworkOptions,
): Promise<{ readonly network: TestNetwork; readonly packets: readonly Packet[] }> {
  const network = await TestNetwork.create(options);
  const packets: Packet[] = [];
  network.onDelivered = (packet) => packets.push(packet);
  const random = randomOf(seed);
  network.drop = ({ sender, receiver }) => sender !== "client" && receiver !== "client" && random() < 0.1;
  for (let i = 0; i < 6; i++) {
    network.pay(1, 2);
    network.pay(2, 1);
    network.pay(1);
    network.settle();
  }
  for (let i = 0; i < 20; i++) network.advance(1000);
  network.drop = () => false;
  for (let i = 0; i < 60; i++) network.advance(1000);
  return { network, packets };
}

function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  switch (below(random, 5)) {
    case 0:
      for (let i = 1 + below(random, 4); i > 0; i--) copy[below(random, copy.length)] = below(random, 256);
      return copy;
    case 1:
      return copy.subarray(0, below(random, copy.length));
    case 2:
      return Buffer.concat([copy, Uint8Array.from({ length: 1 + below(random, 8) }, () => below(random, 256))]);
    case 3: {
      const at = below(random, copy.length);
      return Buffer.concat([copy.subarray(0, at), other.subarray(Math.min(at, other.length))]);
    }
    default: {
      const at = below(random, copy.length);
      copy[at] = (copy[at] as number) ^ (1 << below(random, 8));
      return copy;
    }
  }
}

describe.each([["byzantine"], ["crash"]] as const)(`mutated packets of %s clusters, seed ${seed}`, (model) => {
  test("never throw, and change nothing that is signed", async () => {
    const { network, packets } = await record({ models: [model, model] });
    const random = randomOf(seed);
    const before = await Promise.all(network.nodes.map(contentOf));
    const rejected = () => network.nodes.reduce((sum, node) => sum + node.rejected.length, 0);
    const rejectedBefore = rejected();
    const inside = packets.filter(({ receiver }) => receiver !== "client");
    expect(new Set(inside.map(({ kind }) => kind)).size).toBeGreaterThanOrEqual(9);
    for (let i = 0; i < 10_000; i++) {
      const packet = inside[below(random, inside.length)] as Packet;
      const other = inside[below(random, inside.length)] as Packet;
      const bytes = mutate(packet.bytes, other.bytes, random);
      const node = network.node(packet.receiver);
      const event = node.ingress.open(packet.from, bytes);
      if (event === undefined || model === "crash") continue;
      node.inbox.push(event);
      network.turns(node);
      network.packets.length = 0;
    }
    expect(rejected() - rejectedBefore).toBeGreaterThan(5000);
    expect(await Promise.all(network.nodes.map(contentOf))).toEqual(before);
  });
});

test(`byzantine clusters go on while every packet comes in mutated copies as well, seed ${seed}`, async () => {
  const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
  const random = randomOf(seed);
  let last: Packet | undefined;
  network.onDelivered = (packet) => {
    for (let i = 0; i < 4 && packet.receiver !== "client"; i++) {
      const node = network.node(packet.receiver);
      const event = node.ingress.open(packet.from, mutate(packet.bytes, (last ?? packet).bytes, random));
      if (event !== undefined) node.inbox.push(event);
    }
    last = packet;
  };
  for (let i = 0; i < 20; i++) network.pay(...someOf(random, { count: 1 + below(random, 2), max: 2 }));
  network.settle();
  for (let i = 0; i < 10; i++) network.advance(1000);
  const executed = network.replies.filter(({ refusal }) => refusal === 0);
  expect(new Set(executed.map(({ nonce }) => nonce)).size).toBe(20);
  await expectConsistent(network, `seed ${seed}`);
  const codes = new Set(network.nodes.flatMap(({ rejected }) => rejected.map(({ code }) => code)));
  expect(codes).toContain("bad-signature");
});

test(`random bytes are malformed, whoever sends them, seed ${seed}`, async () => {
  const network = await TestNetwork.create({ models: ["crash", "byzantine"] });
  network.settle();
  const random = randomOf(seed);
  const senders = [...network.nodes.map(({ info }) => info.key), ...network.clients.map(({ publicKey }) => publicKey)];
  for (let i = 0; i < 5000; i++) {
    const bytes = Uint8Array.from({ length: below(random, 300) }, () => below(random, 256));
    const node = network.nodes[below(random, network.nodes.length)] as TestNetwork["nodes"][0];
    expect(node.ingress.open(senders[below(random, senders.length)] as never, bytes)).toBeUndefined();
  }
  const codes = new Set(network.nodes.flatMap(({ rejected }) => rejected.map(({ code }) => code)));
  expect([...codes].sort()).toEqual(["malformed", "unknown-kind"]);
});
