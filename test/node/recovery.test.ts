// Single messages that come late, come first, or do not come (protocol 2.3, 3 step 4, 3.1, 3.4): each a schedule in which
// leaving out one small rule leaves the network waiting for ever.

import { describe, expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { type Packet, TestNetwork } from "../support/network.js";
import { Transcript } from "../support/transcript.js";

function wait(network: TestNetwork, seconds: number): void {
  for (let i = 0; i < 2 * seconds; i++) network.advance(500);
}

async function expectDone(network: TestNetwork, heights: readonly number[]): Promise<void> {
  heights.forEach((height, i) => {
    for (const { name, replica } of network.nodesOf(i + 1)) expect([name, replica.height]).toEqual([name, height]);
  });
  await expectConsistent(network, "in the end");
  expectIdle(network, "in the end");
}

/** The initiator's primary hears of cluster 2's accepts, and decides for it, before cluster 2's own primary does. */
async function initiatorFirst(): Promise<TestNetwork> {
  const network = await TestNetwork.create({ models: ["crash", "crash", "byzantine"] });
  network.settle();
  network.pick = (packets) => {
    const late = (packet: Packet) => packet.receiver === "c2n0" && packet.kind === "accept";
    const at = packets.findIndex((packet) => !late(packet));
    return Math.max(0, at);
  };
  return network;
}

describe("a crash cluster's word to a byzantine one", () => {
  test("is its own, also when the initiator's primary was faster", async () => {
    const network = await initiatorFirst();
    const { lines } = new Transcript(network);
    network.pay(1, 2, 3);
    network.settle();
    expect(lines.filter((line) => line.startsWith("c2n0 ->") && line.includes("COMMIT X c2"))).toHaveLength(1);
    expect(network.tick).toBe(0);
    await expectDone(network, [1, 1, 1]);
  });

  test("is given again by any of its nodes to who asks for it", async () => {
    const network = await initiatorFirst();
    const { lines } = new Transcript(network);
    network.drop = ({ sender, receiver, kind }) =>
      sender === "c2n0" && kind === "commit" && network.node(receiver).ref.cluster === 3;
    network.pay(1, 2, 3);
    wait(network, 10);
    const answers = lines.filter((line) => /^c2n[12] -> c3n.: COMMIT X c2/.test(line));
    expect(answers.length).toBeGreaterThan(0);
    network.drop = () => false;
    wait(network, 10);
    await expectDone(network, [1, 1, 1]);
  });
});

describe("rounds of a byzantine cluster", () => {
  // Two nodes are prepared in round 0 and have sent a COMMIT; the primary is not, and turns to round 1. COMMITs of two
  // rounds do not count together, so those two have to follow.
  test("a node that sent a COMMIT in round 0 sends one in round 1, too", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
    network.settle();
    network.drop = ({ receiver, kind }) => kind === "accept" && (receiver === "c2n0" || receiver === "c2n3");
    const { lines } = new Transcript(network);
    network.pay(1, 2);
    wait(network, 20);
    for (const round of [0, 1]) {
      const commits = lines.filter((line) => new RegExp(`^c2n[12] -> .*COMMIT X c2 .*\\(0\\.${round}\\)`).test(line));
      expect(new Set(commits.map((line) => line.slice(0, 4))).size).toBe(2);
    }
    network.drop = () => false;
    wait(network, 20);
    await expectDone(network, [1, 1]);
  });

  test("who asks gets the accept as well as the COMMIT", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"], faults: 2 });
    network.settle();
    // q = 5: three nodes of cluster 2 get no accepts of others, so four COMMITs are all there are.
    network.drop = ({ receiver, kind }) => kind === "accept" && ["c2n4", "c2n5", "c2n6"].includes(receiver);
    network.pay(1, 2);
    network.settle();
    network.drop = () => false;
    wait(network, 20);
    await expectDone(network, [1, 1]);
  });

  test("a node that hears of a block by accepts first takes part in its quorum all the same", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
    network.settle();
    const late = ({ receiver, kind }: Packet) => receiver === "c2n3" && kind === "propose";
    network.pick = (packets) =>
      Math.max(
        0,
        packets.findIndex((packet) => !late(packet)),
      );
    // One node accepts and is never heard of again: the three others' COMMITs are needed.
    network.drop = ({ sender, kind }) => sender === "c2n1" && kind !== "accept";
    network.pay(1, 2);
    wait(network, 20);
    network.drop = () => false;
    for (const name of ["c2n0", "c2n2", "c2n3"]) expect([name, network.node(name).replica.height]).toEqual([name, 1]);
    wait(network, 10);
    await expectDone(network, [1, 1]);
  });

  test("the primary places a block that it learns of by accepts alone", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
    network.settle();
    network.drop = ({ receiver, kind }) => receiver === "c2n0" && kind === "propose";
    network.pay(1, 2);
    network.settle();
    network.drop = () => false;
    wait(network, 10);
    await expectDone(network, [1, 1]);
  });
});

describe.each<[FailureModel]>([["crash"], ["byzantine"]])("%s clusters", (model) => {
  test("collisions are settled without a timer, though accepts come before the primary has the block", async () => {
    const network = await TestNetwork.create({ models: [model, model, model] });
    network.settle();
    // Cluster 3's primary hears of both blocks last, from accepts; its nodes have placed them differently.
    network.pay(1, 3);
    network.pay(2, 3);
    network.deliver({ receiver: "c1n0" });
    network.deliver({ receiver: "c2n0" });
    for (const { name, ref } of network.nodesOf(3).slice(1)) {
      for (const sender of ref.node === 1 ? ["c1n0", "c2n0"] : ["c2n0", "c1n0"]) {
        network.deliver({ sender, receiver: name, kind: "propose" });
      }
    }
    network.pick = (packets) => {
      const late = (packet: Packet) => packet.receiver === "c3n0" && packet.kind === "propose";
      return Math.max(
        0,
        packets.findIndex((packet) => !late(packet)),
      );
    };
    network.settle();
    expect(network.tick).toBe(0);
    await expectDone(network, [1, 1, 2]);
  });

  test.each([[[2, 1]], [[1]]])(
    "a block that comes after the decision of its slot is delivered at once, over %j",
    async (clusters) => {
      const network = await TestNetwork.create({ models: [model, model] });
      network.settle();
      const late = ({ receiver, kind }: Packet) => receiver === "c1n1" && kind === "propose";
      network.pick = (packets) =>
        Math.max(
          0,
          packets.findIndex((packet) => !late(packet)),
        );
      network.pay(...clusters);
      network.settle();
      expect(network.tick).toBe(0);
      await expectDone(network, [1, clusters.length - 1]);
    },
  );

  test("a backup that misses the decision of a no-op gets it for its vote", async () => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.settle();
    let commits = 0;
    network.drop = ({ receiver, sender, kind }) => {
      if (receiver !== "c1n1" || kind !== "commit" || !sender.startsWith("c1")) return false;
      // The first round of COMMITs of its own cluster is about the block, all after it about the no-op.
      commits++;
      return commits > (model === "crash" ? 1 : 3);
    };
    network.pay(1, 2);
    network.settle();
    expect(network.node("c1n1").replica.height).toBe(0);
    network.drop = () => false;
    wait(network, 10);
    await expectDone(network, [1, 1]);
  });

  test("a primary that restarts with a block and a no-op undecided gets both decided", async () => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.settle();
    network.pay(1, 2);
    // Nothing of its own cluster reaches it any more: it proposes, and hears no votes.
    network.drop = ({ sender, receiver }) => receiver === "c1n0" && sender.startsWith("c1");
    network.settle();
    await network.restart(network.node("c1n0"));
    network.drop = () => false;
    wait(network, 5);
    await network.restart(network.node("c1n0"));
    wait(network, 20);
    await expectDone(network, [1, 1]);
  });

  test("the initiator's primary decides on a cluster whose accepts it missed by that cluster's COMMIT", async () => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.settle();
    network.drop = ({ receiver, sender, kind }) => receiver === "c1n0" && kind === "accept" && sender.startsWith("c2");
    network.pay(1, 2);
    network.settle();
    expect(network.tick).toBe(0);
    await expectDone(network, [1, 1]);
  });
});

test("a request that can no longer be executed is not watched for ever", async () => {
  const network = await TestNetwork.create({ models: ["crash"] });
  network.settle();
  network.drop = ({ sender, receiver }) => sender === "c1n1" && receiver === "c1n0";
  network.send([network.payment([1])], { to: "c1n1" });
  network.settle();
  expect(network.node("c1n1").replica.wakeAt).toBeDefined();
  wait(network, 80);
  expect(network.node("c1n1").replica.wakeAt).toBeUndefined();
});

test("a node asks no more about a slot in which it placed a block that was decided elsewhere", async () => {
  const network = await TestNetwork.create({ models: ["crash", "crash", "crash"] });
  network.settle();
  network.pay(1, 3);
  network.pay(2, 3);
  network.deliver({ receiver: "c1n0" });
  network.deliver({ receiver: "c2n0" });
  // c3n2 places both the other way round, which leaves it with accepts that come to nothing.
  for (const sender of ["c2n0", "c1n0"]) network.deliver({ sender, receiver: "c3n2", kind: "propose" });
  network.settle();
  wait(network, 30);
  for (const { name, replica } of network.nodes) expect([name, replica.wakeAt]).toEqual([name, undefined]);
  await expectDone(network, [1, 1, 2]);
});
