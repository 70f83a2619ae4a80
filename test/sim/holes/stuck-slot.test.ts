// Protocol 9, scenario 5: a slot stuck by disagreeing accepts. Three blocks of three initiators reach the three nodes of
// a fourth cluster in three orders, and each node's first accept in a slot is its last word on it.

import { describe, expect, test, vi } from "vitest";
import { sameEntry } from "../../../src/cluster/quorum.js";
import { Log } from "../../../src/intra/log.js";
import { expectViolated, restoreRules, SOUND, scenario } from "./scenario.js";

/** Without rounds: what a node accepted in a slot of this view, it does not accept otherwise. */
function acceptOncePerSlot(): void {
  const { refusal } = Log.prototype;
  vi.spyOn(Log.prototype, "refusal").mockImplementation(function (this: Log, entry) {
    const own = this.slot(entry.slot)?.selfAssigned;
    return own === undefined || sameEntry(own, entry) ? refusal.call(this, entry) : "conflict";
  });
}

restoreRules();

describe("5. a slot stuck by disagreeing accepts", () => {
  const run = () =>
    scenario({ models: ["crash", "crash", "crash", "crash"] }, (network) => {
      for (const initiator of [1, 2, 3]) network.pay(initiator, 4);
      for (const receiver of ["c1n0", "c2n0", "c3n0"]) network.deliver({ receiver, kind: "request" });
      ["c4n0", "c4n1", "c4n2"].forEach((receiver, i) => {
        for (const k of [0, 1, 2]) network.deliver({ sender: `c${1 + ((i + k) % 3)}n0`, receiver, kind: "propose" });
      });
      // Nobody has failed, so this must do without a view change.
      network.settle();
    });

  test("no block gets a majority when each node votes once in a slot", async () => {
    acceptOncePerSlot();
    expectViolated(await run(), "I10");
  });

  test("the primary's round 1 settles it", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
