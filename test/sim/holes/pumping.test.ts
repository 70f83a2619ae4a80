// Protocol 9, scenario 7: number pumping. A byzantine primary gives a block the greatest counter there is. Final
// sequences carry it to every cluster, and no cluster can ever assign a greater one.

import { describe, expect, test, vi } from "vitest";
import { Log } from "../../../src/intra/log.js";
import { type ClusterId, sequenceOf } from "../../../src/types/ids.js";
import { limits } from "../../../src/types/limits.js";
import { nextEntry, paymentBlock, proposal } from "../../support/forge.js";
import { expectViolated, restoreRules, SOUND, scenario, speakAs, wait } from "./scenario.js";

/** Any counter above the slot before will do. */
function takeAnyCounter(): void {
  vi.spyOn(Log.prototype, "isJustified").mockImplementation((entry, previous) => entry.sequence > previous);
}

restoreRules();

describe("7. number pumping by a byzantine primary", () => {
  const run = () =>
    scenario({ models: ["byzantine", "byzantine"], liar: "c1n0" }, (network) => {
      const block = paymentBlock(network, 1, 2);
      const sequence = sequenceOf(limits.counterMax, 1 as ClusterId);
      const message = proposal(network, block, nextEntry(network, 1, block.digest, { sequence }));
      const others = network.nodes.map(({ name }) => name).filter((name) => name !== "c1n0");
      speakAs(network, { from: "c1n0", to: others, message });
      wait(network, 10);
      // From here on the liar is quiet and does as all others do.
      network.pay(2);
      network.pay(1, 2);
      wait(network, 20);
    });

  test("counters that need no reason end the network", async () => {
    takeAnyCounter();
    const outcome = await run();
    expect(outcome.stopped.join()).toContain("is beyond");
    expectViolated(outcome, "I10");
  });

  test("a counter is bounded by what a node knows", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
