// View changes among real replicas (protocol 5): primaries that fail at any point, of both models, and what becomes of
// what they had under way.

import { describe, expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { TestNetwork, type TestNode } from "../support/network.js";

const MODELS: readonly FailureModel[] = ["crash", "byzantine"];

/** Nothing reaches the node, and nothing of it reaches others. */
function silence(network: TestNetwork, ...names: readonly string[]): void {
  const dead = new Set(names);
  network.drop = ({ sender, receiver }) => dead.has(sender) || dead.has(receiver);
}

function pass(network: TestNetwork, ms: number): void {
  for (let each = 0; each < ms; each += 50) network.advance(50);
}

function heights(nodes: readonly TestNode[]): readonly number[] {
  return nodes.map(({ replica }) => replica.height);
}

describe.each(MODELS)("a %s cluster", (model) => {
  const others = model === "crash" ? ["c1n1", "c1n2"] : ["c1n1", "c1n2", "c1n3"];

  test("goes on under the next primary when its own is silent", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.pay(1);
    network.settle();
    silence(network, "c1n0");
    for (const to of others) network.send([network.payment([1])], { to, nonce: 77 });
    pass(network, 3000);
    const nodes = others.map((name) => network.node(name));
    expect(heights(nodes)).toEqual(others.map(() => 2));
    for (const { replica } of nodes) {
      const { view, isOpen } = replica.coordinator.engine;
      expect({ view, isOpen }).toEqual({ view: 1, isOpen: true });
    }
  });

  test("keeps what its primary had under way, in its slot", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.pay(1);
    // The primary's proposal reaches everyone, and then it is gone.
    network.drop = ({ kind, sender }) => kind === "commit" || (sender === "c1n0" && kind === "accept");
    network.settle();
    silence(network, "c1n0");
    pass(network, 3000);
    const nodes = others.map((name) => network.node(name));
    expect(heights(nodes)).toEqual(others.map(() => 1));
    const digests = nodes.map(({ replica }) => replica.coordinator.engine.decisionAt(1)?.entry.digest);
    expect(new Set(digests).size).toBe(1);
  });

  test("takes its old primary back in, as a backup", async () => {
    const network = await TestNetwork.create({ models: [model] });
    silence(network, "c1n0");
    for (const to of others) network.send([network.payment([1])], { to, nonce: 77 });
    pass(network, 3000);
    network.drop = () => false;
    network.send([network.payment([1], 2)], { to: "c1n0" });
    pass(network, 5000);
    const { view, isOpen } = network.node("c1n0").replica.coordinator.engine;
    expect({ view, isOpen }).toEqual({ view: 1, isOpen: true });
    expect(network.node("c1n1").replica.height).toBe(2);
  });

  test("survives a restart in the middle of a view change", async () => {
    const network = await TestNetwork.create({ models: [model] });
    network.pay(1);
    network.settle();
    silence(network, "c1n0");
    for (const to of others) network.send([network.payment([1])], { to, nonce: 77 });
    network.onTurn = ({ name, replica }) => {
      if (name === "c1n1" && replica.coordinator.engine.view === 1) network.drop = () => true;
    };
    pass(network, 1100);
    network.onTurn = () => undefined;
    await network.restart(network.node("c1n1"));
    expect(network.node("c1n1").replica.coordinator.engine.view).toBe(1);
    silence(network, "c1n0");
    pass(network, 9000);
    expect(heights(others.map((name) => network.node(name)))).toEqual(others.map(() => 2));
  });
});

test.each(MODELS)(
  "a block over two %s clusters ends the same way in both when its initiator's primary dies",
  async (model) => {
    for (let step = 0; step < 24; step++) {
      const network = await TestNetwork.create({ models: [model, model] });
      network.pay(1, 2);
      let delivered = 0;
      network.onDelivered = () => {
        if (++delivered > step) silence(network, "c1n0");
      };
      network.settle();
      silence(network, "c1n0");
      for (const node of network.nodesOf(1).slice(1))
        network.send([network.payment([1, 2])], { to: node.name, nonce: 1 });
      pass(network, 15_000);
      const alive = network.nodes.filter(({ name }) => name !== "c1n0");
      expect([...new Set(heights(alive))], `dead after ${step} packets`).toHaveLength(1);
      expect(heights(alive)[0], `dead after ${step} packets`).toBeGreaterThan(0);
    }
  },
);
