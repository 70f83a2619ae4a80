// The initiator's primary fails for good at each named step of a cross-shard block (protocol 3, 5): whatever of its
// words had left by then, the block ends the same way in all views, and a client that sends again gets it executed
// once. Then the node comes back from its store and agrees.

import { describe, expect, test } from "vitest";
import { heightRange } from "../../src/ledger/keys.js";
import { decodeRecord, recordClusters } from "../../src/ledger/records.js";
import type { MessageKind } from "../../src/types/message.js";
import type { Dissemination, FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { type Packet, TestNetwork, type TestNode } from "../support/network.js";

const INITIATOR = "c1n0";
const NONCE = 777;

interface Step {
  readonly name: string;
  /** Which of its words leave. */
  readonly says: (packet: Packet) => boolean;
  /** Does it hear what comes back? */
  readonly hears: boolean;
  /** Enough nodes know the block for it to outlast the primary, whether or not the client asks again. */
  readonly lasts: boolean;
}

const proposals: readonly MessageKind[] = ["propose", "super-propose"];
const accepts: readonly MessageKind[] = [...proposals, "accept", "super-accept"];
const commits: readonly MessageKind[] = [...accepts, "commit"];

const isOf = (kinds: readonly (MessageKind | "unknown")[]) => (packet: Packet) => kinds.includes(packet.kind);
const isOwn = ({ receiver }: Packet) => receiver.startsWith("c1");

/** Proposals reach those nodes for which this is true; nothing else is said. */
const proposalsTo = (isReached: (packet: Packet) => boolean) => (packet: Packet) =>
  isOf(proposals)(packet) && isReached(packet);

/** Proposals and accepts reach everyone; of its commits those reach their node for which this is true. */
const commitsTo = (isReached: (packet: Packet) => boolean) => (packet: Packet) =>
  isOf(accepts)(packet) || (packet.kind === "commit" && isReached(packet));

const STEPS: readonly Step[] = [
  { name: "before it proposes", says: () => false, hears: false, lasts: false },
  { name: "after propose to its own cluster", says: proposalsTo(isOwn), hears: false, lasts: false },
  { name: "after propose to the others", says: proposalsTo((packet) => !isOwn(packet)), hears: false, lasts: false },
  {
    name: "after propose to one node",
    says: proposalsTo(({ receiver }) => receiver === "c1n2"),
    hears: false,
    lasts: false,
  },
  { name: "after propose", says: isOf(proposals), hears: false, lasts: true },
  { name: "after its own accept", says: isOf(accepts), hears: false, lasts: true },
  { name: "after accepts, before commit", says: isOf(accepts), hears: true, lasts: true },
  {
    name: "after commit to one node",
    says: commitsTo(({ receiver }) => receiver === "c1n1"),
    hears: true,
    lasts: true,
  },
  { name: "after commit to its own cluster", says: commitsTo(isOwn), hears: true, lasts: true },
  { name: "after commit to the others", says: commitsTo((packet) => !isOwn(packet)), hears: true, lasts: true },
  { name: "after commit", says: isOf(commits), hears: true, lasts: true },
];

const MODELS: readonly (readonly FailureModel[])[] = [
  ["crash", "crash"],
  ["byzantine", "byzantine"],
  ["crash", "byzantine"],
  ["byzantine", "crash"],
  ["crash", "byzantine", "crash"],
];

const WAYS: readonly Dissemination[] = ["flattened", "super-propose"];

function pass(network: TestNetwork, ms: number): void {
  for (let each = 0; each < ms; each += 50) network.advance(50);
}

/** How many blocks of several clusters the node has a record of. */
async function crossBlocks({ store }: TestNode): Promise<number> {
  let count = 0;
  for await (const [, value] of store.range(heightRange("record", 1, Number.MAX_SAFE_INTEGER - 1))) {
    if (recordClusters(decodeRecord(value)).length > 1) count++;
  }
  return count;
}

const combinations = MODELS.flatMap((models) =>
  WAYS.flatMap((way) => [true, false].map((again) => ({ models, way, again, what: again ? "again" : "once" }))),
);

describe.each(combinations)("$models, $way, a client that sends $what", ({ models, way, again }) => {
  test.each(STEPS)("the initiator's primary dies $name", async ({ name, says, hears, lasts }) => {
    const network = await TestNetwork.create({ models, dissemination: way });
    const clusters = models.map((_, i) => i + 1);
    // Each log has something in it, and the block's slot has a neighbour.
    for (const cluster of clusters) network.pay(cluster);
    network.settle();
    network.drop = (packet) => (packet.sender === INITIATOR ? !says(packet) : packet.receiver === INITIATOR && !hears);
    const operation = network.payment(clusters);
    const request = network.request([operation], { nonce: NONCE });
    // The client's word reaches it, whatever it hears afterwards.
    const { drop } = network;
    network.drop = (packet) => packet.sender !== "client" && drop(packet);
    network.sendBytes(request, INITIATOR);
    network.settle();
    network.drop = ({ sender, receiver }) => sender === INITIATOR || receiver === INITIATOR;
    if (again) for (const { name: to } of network.nodesOf(1)) network.sendBytes(request, to);
    pass(network, 15_000);
    await network.reload();

    const alive = network.nodes.filter((node) => node.name !== INITIATOR);
    const ends = await Promise.all(alive.map(crossBlocks));
    expect([...new Set(ends)], name).toHaveLength(1);
    if (again || lasts) expect(ends[0], name).toBeGreaterThan(0);
    if (again) {
      const replies = network.replies.filter(({ nonce }) => nonce === NONCE);
      expect(new Set(replies.map(({ height, sequence }) => `${height} ${sequence}`)).size, name).toBe(1);
    }
    await expectConsistent(network, name, alive);

    network.drop = () => false;
    await network.restart(network.node(INITIATOR));
    network.pay(...clusters);
    for (const cluster of clusters) network.pay(cluster);
    await network.run(20);
    await expectConsistent(network, name);
    expectIdle(network, name);
    // What it had proposed to nobody it may propose again.
    expect(await crossBlocks(network.node(INITIATOR)), name).toBeGreaterThan(ends[0] ?? 0);
  });
});
