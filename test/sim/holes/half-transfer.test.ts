// Protocol 9, scenario 6: half a transfer. The order is agreed, the debit fails in its cluster, and nothing in the
// published protocol tells the cluster of the credit.

import { describe, expect, test, vi } from "vitest";
import { OK } from "../../../src/execution/rules.js";
import { VerdictCounts } from "../../../src/execution/verdicts.js";
import { limits } from "../../../src/types/limits.js";
import { expectViolated, restoreRules, SOUND, scenario } from "./scenario.js";

/** Each cluster executes what is ordered, as if all others could do their part. */
function trustTheOthers(): void {
  const verdicts = new Uint8Array(limits.blockOperationsMax).fill(OK);
  vi.spyOn(VerdictCounts.prototype, "expect").mockImplementation((_, clusters) =>
    clusters.map((cluster) => ({ cluster, verdicts })),
  );
}

restoreRules();

describe("6. half a transfer", () => {
  const run = () =>
    scenario({ models: ["crash", "byzantine"] }, (network) => {
      const [poor, rich] = [network.account(1), network.account(2)];
      network.send([network.transfer(poor, rich, 5000n)]);
      network.settle();
      expect(network.replies).toHaveLength(1);
    });

  test("a credit without the debit's verdict makes money", async () => {
    trustTheOthers();
    expectViolated(await run(), "I5");
  });

  test("a transfer applies in all its clusters or in none", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
