// A node that missed whole slots of its cluster's log, of which it knows nothing (protocol 6): it hears of later ones,
// asks, and believes the certificate. It stops asking when nothing is missing, and one liar cannot make it ask.

import { describe, expect, test } from "vitest";
import { noOpBlock } from "../../src/cluster/block.js";
import type { ClusterId } from "../../src/types/ids.js";
import { certificateOf, commitOf, injectAs, nextEntry, paymentBlock, sealAs } from "../support/forge.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { TestNetwork } from "../support/network.js";
import { ZERO } from "../support/refusals.js";

const MODELS = [["crash"], ["byzantine"]] as const;

function wait(network: TestNetwork, seconds: number): void {
  for (let i = 0; i < 2 * seconds; i++) network.advance(500);
}

/** Everything that is said to these nodes is lost. */
function deafen(network: TestNetwork, ...names: readonly string[]): void {
  network.drop = ({ receiver }) => names.includes(receiver);
}

function pay(network: TestNetwork, times: number, ...clusters: readonly number[]): void {
  for (let i = 0; i < times; i++) {
    network.pay(...clusters);
    network.settle();
  }
}

async function expectWhole(network: TestNetwork, what: string): Promise<void> {
  await expectConsistent(network, what);
  expectIdle(network, what);
  for (const { name, replica } of network.nodes) expect([name, replica.wakeAt]).toEqual([name, undefined]);
}

describe.each(MODELS)("%s clusters", (model) => {
  test.each([1, 5, 40])("%i missed slots are asked for when a later one is heard of", async (missed) => {
    const network = await TestNetwork.create({ models: [model] });
    pay(network, 2, 1);
    wait(network, 5);
    deafen(network, "c1n1");
    pay(network, missed, 1);
    network.drop = () => false;
    pay(network, 1, 1);
    const behind = network.node("c1n1").replica;
    expect(behind.height).toBe(2);
    network.advance(1000);
    // All of it in one go: what comes is followed by the next question at once.
    expect(behind.height).toBe(3 + missed);
    wait(network, 30);
    await expectWhole(network, `${missed} slots`);
  });

  test("blocks of several clusters and no-ops are among them", async () => {
    const network = await TestNetwork.create({ models: [model, model === "crash" ? "byzantine" : "crash"] });
    wait(network, 5);
    deafen(network, "c1n2", "c2n2");
    for (const clusters of [[1, 2], [2, 1], [1], [1, 2], [2]]) {
      pay(network, 1, ...clusters);
      wait(network, 5);
    }
    expect(network.node("c1n0").replica.coordinator.engine.frontier.slot).toBeGreaterThan(4);
    network.drop = () => false;
    pay(network, 1, 1);
    pay(network, 1, 2);
    wait(network, 40);
    await expectWhole(network, "blocks of two clusters and no-ops");
  });

  test.each([1, 3, 40])(
    "a node that comes back to a silent network finds out that it lacks %i slots",
    async (missed) => {
      const network = await TestNetwork.create({ models: [model] });
      pay(network, 1, 1);
      deafen(network, "c1n1");
      pay(network, missed, 1);
      network.drop = () => false;
      await network.restart(network.node("c1n1"));
      wait(network, 15);
      await expectWhole(network, "after a restart");
    },
  );

  test("the last slot of a burst, missed without a trace, is found when the log has come to rest", async () => {
    const network = await TestNetwork.create({ models: [model] });
    wait(network, 15);
    pay(network, 1, 1);
    deafen(network, "c1n1");
    pay(network, 1, 1);
    network.drop = () => false;
    expect(network.node("c1n1").replica.height).toBe(1);
    wait(network, 15);
    await expectWhole(network, "the last slot");
  });

  test("a peer that never answers is not the only one that is asked", async () => {
    const network = await TestNetwork.create({ models: [model] });
    wait(network, 5);
    deafen(network, "c1n1");
    pay(network, 3, 1);
    const silent = model === "crash" ? "c1n2" : "c1n3";
    network.drop = ({ sender, receiver }) => sender === silent && receiver === "c1n1";
    pay(network, 1, 1);
    wait(network, 10);
    expect(network.node("c1n1").replica.height).toBe(4);
  });

  test("a slot that is there is not asked for, however busy the log is", async () => {
    const network = await TestNetwork.create({ models: [model] });
    wait(network, 5);
    let fetches = 0;
    network.onDelivered = ({ kind }) => {
      if (kind === "fetch") fetches++;
    };
    for (let i = 0; i < 100; i++) {
      network.pay(1);
      for (let steps = 0; steps < 30; steps++) network.deliverOne();
      network.tick += 100;
      for (const node of network.nodes) node.inbox.push({ kind: "tick" });
    }
    expect(fetches).toBe(0);
    // At rest, each asks once whether there is more.
    wait(network, 15);
    expect(fetches).toBe(network.nodes.length);
    await expectWhole(network, "busy");
  });
});

test("two nodes of four with different gaps do not stop a byzantine cluster", async () => {
  const network = await TestNetwork.create({ models: ["byzantine"] });
  wait(network, 5);
  deafen(network, "c1n1");
  pay(network, 1, 1);
  deafen(network, "c1n2");
  pay(network, 1, 1);
  network.drop = () => false;
  pay(network, 1, 1);
  wait(network, 10);
  pay(network, 2, 1);
  for (const { name, replica } of network.nodes) expect([name, replica.height]).toEqual([name, 5]);
  wait(network, 20);
  await expectWhole(network, "two gaps");
});

describe("what others say of slots", () => {
  test("one liar of a byzantine cluster makes nobody ask", async () => {
    const network = await TestNetwork.create({ models: ["byzantine"] });
    pay(network, 1, 1);
    wait(network, 5);
    await injectAs(network, "c1n3", "c1n1", commitOf(nextEntry(network, 1, ZERO, { slot: 200 }), 3));
    expect(network.node("c1n1").replica.wakeAt).toBeUndefined();
  });

  // f + 1 of them are more than the model allows; yet nothing may go on for ever.
  test("a slot that two name and nobody has is asked for a while, and then no more", async () => {
    const network = await TestNetwork.create({ models: ["byzantine"] });
    pay(network, 1, 1);
    wait(network, 5);
    for (const node of [2, 3]) {
      await injectAs(network, `c1n${node}`, "c1n1", commitOf(nextEntry(network, 1, ZERO, { slot: 200 }), node));
    }
    let fetches = 0;
    network.onDelivered = ({ kind, sender }) => {
      if (kind === "fetch" && sender === "c1n1") fetches++;
    };
    wait(network, 120);
    expect(fetches).toBeGreaterThan(0);
    expect(network.node("c1n1").replica.wakeAt).toBeUndefined();
  });

  test("a CHUNK for a slot is believed for its certificate alone", async () => {
    const network = await TestNetwork.create({ models: ["byzantine"] });
    pay(network, 1, 1);
    const block = paymentBlock(network, 1);
    const entry = nextEntry(network, 1, block.digest);
    const chunk = (certificate: ReturnType<typeof certificateOf>) =>
      ({ kind: "chunk", digest: block.digest, certificates: [certificate], block }) as const;
    const few = await injectAs(network, "c1n3", "c1n1", chunk(certificateOf(network, entry, [2, 3])));
    expect(few).toEqual({ codes: ["bad-certificate"], changed: false });
    const enough = await injectAs(network, "c1n3", "c1n1", chunk(certificateOf(network, entry, [0, 2, 3])));
    expect(enough.codes).toEqual([]);
    expect(network.node("c1n1").replica.height).toBe(2);
  });

  test("only nodes of the own cluster are told what a slot holds", async () => {
    const network = await TestNetwork.create({ models: ["crash", "crash"] });
    pay(network, 1, 1, 2);
    const asked = await injectAs(network, "c2n0", "c1n0", { kind: "fetch", slot: 1 });
    expect(asked).toEqual({ codes: ["not-allowed"], changed: false });
  });

  test("a primary that is told of a no-op does not propose another", async () => {
    const network = await TestNetwork.create({ models: ["byzantine"] });
    pay(network, 1, 1);
    const noOp = noOpBlock(1 as ClusterId);
    const entry = nextEntry(network, 1, noOp.digest);
    const certificates = [certificateOf(network, entry, [1, 2, 3])];
    const chunk = { kind: "chunk", digest: noOp.digest, certificates, block: noOp } as const;
    expect((await injectAs(network, "c1n1", "c1n0", chunk)).codes).toEqual([]);
    const { engine } = network.node("c1n0").replica.coordinator;
    expect(engine.decisionAt(entry.slot)?.entry.digest).toBe(noOp.digest);
    expect(engine.digestAt(entry.slot + 1)).toBeUndefined();
  });

  test("a primary that lacks a slot does not place its block a second time", async () => {
    const network = await TestNetwork.create({ models: ["byzantine", "byzantine"] });
    network.settle();
    // The primary of cluster 2 hears nothing of the block, and the three others decide without it in round 1's stead.
    deafen(network, "c2n0");
    pay(network, 1, 1, 2);
    const backup = network.node("c2n1").replica.coordinator.engine;
    const digest = backup.digestAt(1);
    if (digest === undefined) throw new Error("nobody has placed the block");
    const block = network.node("c1n0").replica.knownBlock(digest);
    if (block === undefined) throw new Error("the block is not known");
    network.packets.length = 0;
    network.drop = () => true;
    const entry = { ...nextEntry(network, 2, digest), slot: 1 };
    const certificates = [certificateOf(network, entry, [1, 2, 3])];
    const { info, ingress, inbox } = network.node("c2n0");
    const bytes = sealAs(network, "c2n1", { kind: "chunk", digest, certificates, block });
    const event = ingress.open(network.node("c2n1").info.key, bytes);
    if (event === undefined) throw new Error(`${info.id} refused the CHUNK`);
    inbox.push(event);
    network.turns(network.node("c2n0"));
    const { engine } = network.node("c2n0").replica.coordinator;
    expect(engine.decisionAt(1)?.entry.digest).toBe(digest);
    expect(engine.digestAt(2)).toBeUndefined();
  });
});
