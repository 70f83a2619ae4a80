// Checkpoints over a whole network (protocol 6): nodes sign the same points, the log is forgotten below them, and a
// cluster goes on for longer than its window.

import { expect, it } from "vitest";
import { prefixRange } from "../../src/ledger/keys.js";
import { limits } from "../../src/types/limits.js";
import { TestNetwork, type TestNode } from "../support/network.js";

const ROUNDS = limits.windowSlots + 40;

it.each(["crash", "byzantine"] as const)(
  "a %s cluster checkpoints, forgets its log, and goes on beyond its window",
  async (model) => {
    const network = await TestNetwork.create({ models: [model, model] });
    for (let round = 0; round < ROUNDS; round++) {
      const to = network.account(round % 8 === 0 ? 2 : 1, 1 + (round % 20));
      network.send([network.transfer(network.account(1), to)]);
      await network.settle();
    }
    const own = network.nodes.filter(({ ref }) => ref.cluster === 1);
    for (const node of own) {
      const stable = node.notes.filter((note) => note.kind === "stable");
      expect(stable.length).toBeGreaterThanOrEqual(Math.floor(ROUNDS / limits.checkpointSlots));
      expect(stable).toEqual((own[0] as TestNode).notes.filter((note) => note.kind === "stable"));
      expect(node.replica.height).toBe(ROUNDS);
      expect(await rows(node)).toBeLessThan(2 * limits.checkpointSlots);
    }
  },
  60_000,
);

async function rows(node: TestNode): Promise<number> {
  let count = 0;
  for await (const _ of node.store.range(prefixRange("slot"))) count++;
  return count;
}
