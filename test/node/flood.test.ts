// A primary that lies without end (protocol 2.3, 3): a node accepts one block for a slot in a view, and keeps nothing of
// the others that it is shown for it.

import { expect, test } from "vitest";
import { fromHex } from "../../src/types/ids.js";
import { blockOf, nextEntry, proposal, requestOf, sealAs } from "../support/forge.js";
import { rowsOf } from "../support/inspect.js";
import { START, TestNetwork } from "../support/network.js";

const PROPOSALS = 2000;

test("of thousands of blocks proposed for one slot a node keeps the first alone", async () => {
  const network = await TestNetwork.create({ models: ["byzantine"] });
  network.pay(1);
  network.settle();
  const node = network.node("c1n2");
  const blocksBefore = await rowsOf(node, "block");
  const request = requestOf(network, [network.payment([1])]);
  const first = blockOf([request], { time: START });
  // Of what the node says nothing arrives: nobody decides the slot.
  for (let n = 0; n < PROPOSALS; n++) {
    const block = blockOf([request], { time: START - n });
    const entry = nextEntry(network, 1, block.digest, { slot: 2 });
    network.post(
      network.node("c1n0").info.key,
      node.info.key,
      sealAs(network, "c1n0", proposal(network, block, entry)),
    );
    network.deliverOne();
    network.packets.length = 0;
  }
  expect(node.replica.coordinator.engine.stored(2)?.accepted?.digest).toEqual(fromHex(first.digest));
  expect(await rowsOf(node, "block")).toBe(blocksBefore + 1);
  expect(node.replica.coordinator.requestsUnderWay().size).toBe(1);
});
