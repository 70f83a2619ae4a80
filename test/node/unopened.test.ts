// A node that is to be primary of a view which has not opened (protocol 5): it is no primary yet, and there is nobody
// else to whom it could hand a request.

import { expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { expectConsistent } from "../support/inspect.js";
import { TestNetwork } from "../support/network.js";

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a node does not hand a request to itself while its own view is not open, and takes it in when it is: %s",
  async (model) => {
    const network = await TestNetwork.create({ models: [model] });
    network.settle();
    network.drop = ({ sender, receiver }) => sender !== "client" && receiver !== "client";
    const next = network.node("c1n1");
    next.replica.coordinator.suspect();
    network.turns(next);
    const request = network.request([network.payment([1])]);
    network.sendBytes(request, "c1n1");
    network.settle();
    expect(next.replica.coordinator.engine.isPrimary).toBe(false);
    network.drop = () => false;
    // Who hears nothing asks everyone (2.4).
    for (const { name } of network.nodes) network.sendBytes(request, name);
    for (let i = 0; i < 60; i++) network.advance(500);
    expect(network.nodes.map(({ replica }) => replica.height)).toEqual(network.nodes.map(() => 1));
    await expectConsistent(network, "in the end");
  },
);
