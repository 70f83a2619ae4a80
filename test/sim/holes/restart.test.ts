// Protocol 9, scenario 13: forgetting over a restart. A primary whose own accept is not on its disk comes back, finds an
// empty log, and gives the slot to another block.

import { describe, expect, test, vi } from "vitest";
import { slotKey } from "../../../src/ledger/keys.js";
import { MemoryStore } from "../../../src/ledger/memory.js";
import { expectViolated, restoreRules, SOUND, scenario, wait } from "./scenario.js";

/** Votes leave before they are durable, and this node never gets to write them. */
function forgetVotes(): void {
  const prefix = slotKey(1)[0];
  const { apply } = MemoryStore.prototype;
  vi.spyOn(MemoryStore.prototype, "apply").mockImplementation(function (this: MemoryStore, writes) {
    apply.call(
      this,
      writes.filter(({ key }) => key[0] !== prefix),
    );
  });
}

restoreRules();

describe("13. forgetting over a restart", () => {
  const run = () =>
    scenario({ models: ["crash"] }, async (network) => {
      // Only c1n1 learns that the first block was decided.
      network.drop = ({ receiver, kind }) => receiver === "c1n2" && (kind === "propose" || kind === "commit");
      network.pay(1);
      network.settle();
      await network.restart(network.node("c1n0"));
      network.drop = () => false;
      network.pay(1);
      wait(network, 20);
    });

  test("a vote that is not durable lets a slot be decided twice", async () => {
    forgetVotes();
    expectViolated(await run(), "I1");
  });

  test("a node contradicts nothing that it said before", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
