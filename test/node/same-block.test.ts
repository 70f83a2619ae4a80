// A primary that restarts forgets which requests are under way (protocol 2.3, 6). If it is asked again within the same
// millisecond, the block that it makes is the one that its log already holds, and a block has one slot.

import { expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent, expectIdle } from "../support/inspect.js";
import { TestNetwork } from "../support/network.js";
import { VoteWatch } from "../support/votes.js";

test.each<[FailureModel]>([["crash"], ["byzantine"]])("a primary does not propose a block twice: %s", async (model) => {
  const network = await TestNetwork.create({ models: [model] });
  const votes = new VoteWatch(network);
  network.settle();
  const request = network.request([network.payment([1])]);
  network.drop = ({ kind }) => kind === "accept";
  network.sendBytes(request, "c1n0");
  network.settle();
  await network.restart(network.node("c1n0"));
  network.sendBytes(request, "c1n0");
  network.settle();
  network.drop = () => false;
  for (let i = 0; i < 60; i++) network.advance(500);
  expect(votes.contradictions).toEqual([]);
  for (const { name, replica } of network.nodes) expect([name, replica.height]).toEqual([name, 1]);
  await expectConsistent(network, "in the end");
  expectIdle(network, "in the end");
});
