// The primary of a later view restarts (protocol 5, 6): its store gives it back its view first and its slots after that,
// and a block whose slot it does not know yet has not lost it.

import { expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { TestNetwork } from "../support/network.js";
import { VoteWatch } from "../support/votes.js";

test.each<[FailureModel]>([["crash"], ["byzantine"]])("a block keeps its slot: %s", async (model) => {
  const network = await TestNetwork.create({ models: [model] });
  const votes = new VoteWatch(network);
  network.settle();
  // Crash: the next primary asks for the view itself; byzantine: f + 1 nodes bring the others along.
  for (const node of network.nodes.slice(1, model === "crash" ? 2 : 3)) {
    node.replica.coordinator.suspect();
    network.turns(node);
  }
  network.settle();
  const primary = network.node("c1n1");
  for (let i = 0; i < 20; i++) network.advance(500);
  expect(primary.replica.coordinator.engine.view).toBe(1);
  expect(primary.replica.coordinator.engine.isPrimary).toBe(true);
  network.send([network.payment([1])], { to: "c1n1" });
  network.settle();
  network.drop = ({ kind }) => kind === "accept";
  network.send([network.payment([1])], { to: "c1n1" });
  network.settle();
  await network.restart(primary);
  network.settle();
  network.drop = () => false;
  for (let i = 0; i < 60; i++) network.advance(500);
  expect(votes.contradictions).toEqual([]);
  for (const { name, replica } of network.nodes) expect([name, replica.height]).toEqual([name, 2]);
  await expectConsistent(network, "in the end");
  expectIdle(network, "in the end");
});
