// Whom a node blames (protocol 5): a primary that decides what it can is not suspected for a block over several clusters
// that waits for another cluster.

import { expect, test } from "vitest";
import type { FailureModel } from "../../src/types/topology.js";
import { START, TestNetwork } from "../support/network.js";

const SECONDS = 300;
const PAYMENT_SECONDS = 5;

test.each<[FailureModel]>([["crash"], ["byzantine"]])(
  "a %s cluster keeps its view and its slots moving while another cluster is down",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model] });
    network.drop = ({ sender, receiver }) => sender.startsWith("c2") || receiver.startsWith("c2");
    const nodes = network.nodesOf(1);
    const across = network.request([network.payment([1, 2])], { validUntil: START + 590_000 });
    for (const { name } of nodes) network.sendBytes(across, name);
    network.settle();
    for (let second = 0; second < SECONDS; second++) {
      if (second % PAYMENT_SECONDS === 0) network.send([network.payment([1], second % 40)], { to: "c1n0" });
      network.advance(500);
      network.advance(500);
    }
    for (const { name, replica } of nodes) {
      const { view, isOpen, frontier } = replica.coordinator.engine;
      expect({ name, view, isOpen }).toEqual({ name, view: 0, isOpen: true });
      // Every payment and the block over both clusters, which is ordered here and waits.
      expect(frontier.slot, name).toBe(SECONDS / PAYMENT_SECONDS + 1);
    }
  },
);
