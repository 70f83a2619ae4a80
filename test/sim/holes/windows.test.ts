// Protocol 9, scenario 14: full windows. Two clusters, cut off from each other, fill their windows with blocks for both.
// If the window bounded foreign blocks as well, neither could place what the other waits for, and no checkpoint would
// ever move a window.

import { describe, expect, test, vi } from "vitest";
import { emptyStep } from "../../../src/intra/engine.js";
import { Pbft } from "../../../src/intra/pbft.js";
import { expectViolated, hold, restoreRules, SOUND, scenario, wait } from "./scenario.js";

const WINDOW = 8;

/** A small window with the same four intervals of checkpoints. */
vi.mock("../../../src/types/limits.js", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../../src/types/limits.js")>();
  return { ...original, limits: { ...original.limits, windowSlots: 8, checkpointSlots: 2 } };
});

/** The primary fills no slot beyond the window, for whomever. */
function boundEverything(): void {
  const { acceptDirect, place, propose } = Pbft.prototype;
  vi.spyOn(Pbft.prototype, "acceptDirect").mockImplementation(function (this: Pbft, block, hint) {
    return this.hasRoom ? acceptDirect.call(this, block, hint) : emptyStep();
  });
  vi.spyOn(Pbft.prototype, "place").mockImplementation(function (this: Pbft, block, hint) {
    return this.hasRoom ? place.call(this, block, hint) : emptyStep();
  });
  vi.spyOn(Pbft.prototype, "propose").mockImplementation(function (this: Pbft, block) {
    return this.hasRoom ? propose.call(this, block) : emptyStep();
  });
}

restoreRules();

describe("14. full windows", () => {
  const run = () =>
    scenario({ models: ["byzantine", "byzantine"] }, (network) => {
      const partition = hold(network, ({ sender, receiver }) => {
        return receiver !== "client" && sender !== "client" && sender.slice(0, 2) !== receiver.slice(0, 2);
      });
      for (let i = 0; i < WINDOW + 2; i++) {
        network.pay(1, 2);
        network.pay(2, 1);
        network.advance(1);
      }
      for (const name of ["c1n0", "c2n0"]) {
        expect(network.node(name).replica.coordinator.engine.frontier.slot).toBe(WINDOW);
      }
      partition.release();
      wait(network, 40);
    });

  test("two full windows that bound foreign blocks, too, stay full for ever", async () => {
    boundEverything();
    expectViolated(await run(), "I10");
  });

  test("a foreign block is placed beyond the window", async () => {
    expect(await run()).toEqual(SOUND);
  });
});
